"""Peaje on Railway, as Infrastructure as Code: ``railway config plan`` shows what it would change, ``apply`` does it.

Values of variables live at Railway, never here: ``preserve()`` leaves them as they were set there. Add the names of
those
that you set beside these.
"""

from railway_sdk import Project, define_railway, github, preserve, project, service, volume

REPOSITORY = "your-name/peaje"
"""Your fork on GitHub, owner/name."""
VARIABLES = (
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_API_ID",
    "TELEGRAM_API_HASH",
    "TELEGRAM_SESSION_STRING",
    "PAYPAL_CLIENT_ID",
    "PAYPAL_CLIENT_SECRET",
    "PAYPAL_MODE",
    "ADMIN_IDS",
)
MIB = 1024 * 1024


@define_railway
def main(_context: object = None) -> Project:
    """One service, one volume."""
    data = volume("peaje-data", sizeMB=5000)
    peaje = service(
        "peaje",
        source=github(REPOSITORY, branch="main"),
        build={"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"},
        # Asked only while a deployment comes up. It is 200 once bot, account and PayPal are well.
        healthcheck="/health",
        healthcheckTimeout=300,
        # One Telegram account cannot be at two places: one replica, and the old deployment ends before the new starts.
        replicas=1,
        deploy={
            "restartPolicyType": "ON_FAILURE",
            "restartPolicyMaxRetries": 10,
            # Seconds between SIGTERM and SIGKILL. The programs need 15 for running transfers, at most 30 in all.
            "drainingSeconds": 40,
            "overlapSeconds": 0,
            # Without a volume every redeploy would begin with an empty database: refuse to deploy.
            "requiredMountPath": "/data",
            # The programs together need 320 MiB at most.
            "limitOverride": {"containers": {"memoryBytes": 512 * MIB}},
        },
        volumeMounts={"/data": data},
        env={name: preserve() for name in VARIABLES} | {"DB_PATH": "/data"},
    )
    return project("peaje", resources=[peaje, data])
