# One image, one container: supervisord with all programs.
#   make image      builds it      make test-image      builds it and tries it

# The index of all processors' images of one day; `make pins` renews it.
ARG BASE=docker.io/library/python:3.11-slim-bookworm@sha256:fe556eaffd0d96abd8685b83bb8a69addd0dc730fa193669a7df0d49ddcfac02

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt .
# Every version by its hash; every compiled package as a wheel, on x86-64 and ARM alike.
RUN python -m pip --python /opt/venv/bin/python install -r requirements.txt
COPY . .
# Compiled ahead: the programs may not write here. Readable for all, whatever the umask was under which it was cloned.
RUN python -m compileall -q . && chmod -R a+rX . && ln -s /run/peaje run

FROM ${BASE}
LABEL org.opencontainers.image.title="Peaje" \
      org.opencontainers.image.description="A Telegram bot that delivers media from links and charges for it" \
      org.opencontainers.image.licenses="MIT"
# The launcher is process 1 and root, so that a volume that belongs to root can be used; what it starts is `peaje`.
# Where it is started as `peaje` (--user), it finds its directories ready.
RUN useradd --no-log-init --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin peaje \
    && install -d -o peaje -g peaje -m 0700 /data /run/peaje
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DB_PATH=/data \
    PORT=8000 \
    PEAJE_RUN=/run/peaje
# Whether everything that the programs import is there; and compiles what of Python itself they use, which the base image
# ships as source only and which `peaje` could not keep: else each program would compile it again at each start.
RUN python -c "import manage, daemon.supervision.launcher, daemon.service, daemon.supervision.watchdog, web.__main__, web.app, web.serving, web.setup.app, web.upkeep.runner"
EXPOSE 8000
STOPSIGNAL SIGTERM
# `docker run --env-file` leaves quotes around PORT; the settings do without them, and so must this.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD ["python", "-ISc", "import os, urllib.request as r; port = os.environ['PORT'].strip(' \"\\''); r.urlopen(f'http://127.0.0.1:{port}/health', timeout=8)"]
ENTRYPOINT ["python", "-m", "daemon.supervision"]
