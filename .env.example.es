# Cópialo a .env y rellénalo. El entorno de verdad gana a este archivo; cada NOMBRE se puede dar también como NOMBRE_FILE, la
# ruta de un archivo que contiene el valor. Un valor vacío es como ninguno. `python manage.py doctor` dice qué falta o qué va mal.

# --- Telegram: hace falta ---

# El bot: habla con @BotFather, /newbot.
TELEGRAM_BOT_TOKEN=
# La aplicación: https://my.telegram.org, "API development tools".
TELEGRAM_API_ID=
TELEGRAM_API_HASH=
# La cuenta que lee las publicaciones, tuya: `make session` inicia su sesión e imprime esta línea. También vale una
# StringSession de Telethon. Vacío si una cuenta inició sesión en una página: en el primer arranque o en Cuentas, en la consola.
TELEGRAM_SESSION_STRING=

# --- PayPal: los dos o ninguno. Sin ellos, los planes se venden solo con Telegram Stars ---

PAYPAL_CLIENT_ID=
PAYPAL_CLIENT_SECRET=
# sandbox (de prueba) o live (de verdad).
PAYPAL_MODE=sandbox
# Por dónde llega el mundo a este sistema, https://... . PayPal envía ahí a los clientes y los avisos; sin esto PayPal no
# vende. En Railway el dominio público se encuentra solo.
BACKEND_URL=
# El id del webhook en PayPal. Normalmente vacío: se encuentra, o se registra para BACKEND_URL.
PAYPAL_WEBHOOK_ID=
# La autoridad de certificación (ruta o texto PEM) que debe respaldar los avisos de PayPal. Vacío: todas las públicas.
PAYPAL_AUTHORITY=

# --- Tú y tus clientes ---

# Ids de Telegram de los administradores, separados por comas: personas, no grupos. @userinfobot te dice el tuyo.
ADMIN_IDS=
# Ids de Telegram de ayudantes: atienden a los clientes y pueden dar unos días; no ven dinero, ni enlaces, ni ajustes.
HELPER_IDS=
# Los idiomas que pueden leer los clientes, como es,en,pt. Su Telegram dice cuál es el suyo; quien no hable ninguno lee el
# primero. Vacío: todos.
LANGUAGES=
# A quién nombra /paysupport: @nombre, una dirección, un teléfono.
SUPPORT_CONTACT=
# Tu canal: un botón en /start.
CHANNEL_URL=
# Páginas a las que llevan /terms y /privacy, en lugar de los textos incluidos.
TERMS_URL=
PRIVACY_URL=
# Recordar a los clientes que su plan se acaba: yes o no.
REMINDERS=yes
# Durante cuántos días después de pagar un cliente puede recuperar todo su dinero con un botón, mientras no haya usado nada
# de lo que compró: de 0 (sin botón) a 150, como mucho RETENTION_DAYS. PayPal se queda su comisión de un pago devuelto.
REFUND_DAYS=7
# Cómo se enteran los administradores de ventas, reembolsos y renovaciones que terminan: "each" una a una, "digest" solo cada
# mañana, u "off".
NOTICES=each
# La hora (0 a 23, TIMEZONE) del resumen: ingresos, clientes, qué se rechazó y por qué. NOTICES=off también lo apaga.
DIGEST_HOUR=9
# Cuántas difusiones (novedades que escribes con /difusion) pueden salir en siete días. 0: ninguna, y a nadie se le pregunta si
# las quiere.
BROADCASTS_PER_WEEK=2
# Cuántos enlaces puede enviar un cliente en una hora y en un día, entregados o no; cinco veces más con un plan de pago.
LINKS_PER_HOUR=300
LINKS_PER_DAY=1500
# La medianoche de quién acaba un día de "10 al día", y las horas que leen los clientes. Por ejemplo, Europe/Madrid.
TIMEZONE=UTC
# Lo que hablan `doctor`, las órdenes de quien opera y las últimas líneas del registro: en, es o pt. Vacío: el idioma del sistema.
# (Aquí gana este archivo: los escritorios ponen LANGUAGE para todos los programas.)
LANGUAGE=es
# Los precios, los límites y los planes están en este archivo; plans.es.toml es el mismo, explicado en español.
PLANS_FILE=plans.toml

# --- Quién puede leer qué ---

# Chats privados que todos los clientes pueden leer, y chats que nadie puede: enlaces, @nombres o ids, con espacios o comas.
SOURCE_CHATS=
BLOCKED_CHATS=
# Quién puede hacer que la cuenta entre en un canal privado enviando una invitación: nobody (nadie), paying (quien paga) o
# everyone (todos); cuántas al día.
JOIN_BY_INVITATION=paying
JOINS_PER_DAY=10
# Publicaciones cuyo origen prohíbe guardarlas: refuse (rechazar) o allow (permitir: responde tu cuenta). Donde tu cuenta
# administra el chat se entregan siempre.
PROTECTED_CONTENT=refuse

# --- Dónde funciona ---

# El directorio de todo lo que se guarda: base de datos, registro, copias, sesión. /data en la imagen.
DB_PATH=data
# Dónde escucha el programa web. La imagen y casi todas las plataformas ponen PORT.
WEB_ADDRESS=0.0.0.0
PORT=8000
# Si delante hay un proxy que pone X-Forwarded-* y X-Real-IP: yes o no. Yes en Railway.
BEHIND_PROXY=no
# DEBUG, INFO, WARNING o ERROR.
LOG_LEVEL=INFO
# MB que pueden ocupar juntos todos los archivos de registro en DB_PATH; lo más viejo se borra primero.
LOG_TOTAL_MB=50
# Firma los enlaces de pago y cifra las sesiones de las cuentas que se iniciaron en una página. Si está vacío se crea en el primer
# arranque y se guarda en DB_PATH.
SECRET_KEY=
# Abre la puesta en marcha en /setup/<esto>, una vez: 20 caracteres al azar o más de A-Z, a-z, 0-9, - y _. Vacío: donde aún no
# hay nada puesto en marcha, cada arranque muestra una dirección de un solo uso.
SETUP_CODE=
# Quien pida /metrics debe enviar "Authorization: Bearer <esto>". Vacío: solo puede pedirlo la propia máquina.
METRICS_TOKEN=
# Días tras los que el uso y los trabajos acabados se resumen en totales por día. Los pagos se conservan.
RETENTION_DAYS=90

# --- Entregas ---

# Archivos a la vez, de hasta 20 MB y mayores; Telegram limita ambos.
TRANSFER_FILES_SMALL=5
TRANSFER_FILES_LARGE=2
# De un mismo cliente a la vez.
JOBS_PER_CUSTOMER=2
# Memoria para lo que está en camino, en MiB, y peticiones que un archivo puede tener pendientes.
TRANSFER_MEMORY_MIB=48
TRANSFER_REQUESTS_MAX=16
# El módulo de AES para los archivos: auto toma el más rápido que esté instalado y responda bien; o cryptg, o tgcrypto.
TRANSFER_CIPHER=auto

# --- Copias de seguridad ---

# Horas entre copias.
BACKUP_HOURS=6
# Las cifra. Sin esta contraseña nadie puede leerlas, tú tampoco: guárdala también en otro sitio. Mientras esté puesta, restore
# solo acepta copias cifradas, salvo que digas --unsealed.
BACKUP_PASSPHRASE=
# Las copia a un almacenamiento compatible con S3: bucket y las dos claves. El endpoint es el de tu proveedor o, en
# Amazon, el de la región del bucket: https://s3.eu-central-1.amazonaws.com. Vacío: us-east-1.
# Un bucket con copias de otra base de datos no se toca: restaura una de ellas, vacíalo o nombra otro.
BACKUP_S3_ENDPOINT=
BACKUP_S3_BUCKET=
BACKUP_S3_ACCESS_KEY=
BACKUP_S3_SECRET_KEY=

# --- Vigilancia ---

# Hora (0 a 23, de TIMEZONE) a la que cada día se entrega de verdad una publicación a un administrador, y el enlace de esa
# publicación: mejor una foto pequeña en un canal privado tuyo, que se lee de nuevo cada vez. Vacío: nunca.
CANARY_HOUR=
CANARY_LINK=
# Se visita cada cinco minutos mientras todo va bien, para un monitor que te llama cuando calla. Mantenla en secreto.
PING_URL=
# Un programa que falla más de WATCHDOG_CRASHES veces en WATCHDOG_WINDOW segundos lo termina todo con el código 70; uno que no
# da señales de vida durante WATCHDOG_STALE segundos se mata y se arranca otra vez.
WATCHDOG_CRASHES=5
WATCHDOG_WINDOW=300
WATCHDOG_STALE=45

# --- Servidores locales, solo para probar ---

# host:puerto de un Telegram local, y su clave pública (ruta o texto PEM).
TELEGRAM_ENDPOINT=
TELEGRAM_PUBLIC_KEY=
# Dirección base de un PayPal local.
PAYPAL_ENDPOINT=
