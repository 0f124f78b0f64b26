#!/bin/sh
# Writes the .env of docker-compose.yml: make-env.sh small|full PUBLIC_URL > .env
# Secrets are made here, once. Keep the file: PostgreSQL knows its password from the first start on.
set -eu
form=${1:-}
url=${2:-}
case $form in small | full) ;; *) form= ;; esac
case $url in http://?* | https://?*) ;; *) url= ;; esac
# Caddy takes no path, and only the ports 80 and 443 are published.
case ${url#*://} in */* | *:*) url= ;; esac
if [ -z "$form" ] || [ -z "$url" ]; then
  echo 'usage: make-env.sh small|full PUBLIC_URL > .env, with http://localhost or https://images.example.com as PUBLIC_URL' >&2
  exit 2
fi
secret() {
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}
cat <<END
COMPOSE_PROJECT_NAME=wombat
# small: PostgreSQL, one Wombat, a proxy. full: Redis and an S3 store as well, and several of Wombat's processes.
COMPOSE_PROFILES=$form
# The address that clients see. https: Caddy gets a certificate, so the name must lead to this machine.
PUBLIC_URL=$url
# The key of the first account, for clients.
BOOTSTRAP_API_KEY=$(secret)
# Between the containers only.
POSTGRES_PASSWORD=$(secret)
REDIS_PASSWORD=$(secret)
STORE_PASSWORD=$(secret)

# From here on: any setting of .env.example that docker-compose.yml doesn't set. Without a provider's key pictures are synthetic.
# OPENAI_API_KEY=
END
