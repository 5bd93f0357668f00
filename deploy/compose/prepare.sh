#!/bin/sh
# Makes what compose.yaml needs below STATE (default /state), and keeps what is there: passwords, keys, certificates, the
# broker's rules. Its words are the gateways: the meter ids of each, joined by commas.
#   docker compose run --rm prepare MTR-001 MTR-002,MTR-003
set -eu
umask 077
state="${STATE:-/state}"
: "${GTX_NAMES:?the names and addresses of this machine, joined by commas}"
if [ "$#" -eq 0 ]; then
  echo 'Name the gateways: the meter ids of each, joined by commas.' >&2
  exit 2
fi
# Whom the processes in the containers run as.
collector=10001:10001
mosquitto=1883:1883
grafana=472:0
secrets="$state/secrets"
mkdir -p "$secrets" "$state/tls"
chmod 711 "$state"

random() { node -e "process.stdout.write(require('node:crypto').randomBytes(24).toString('base64url'))"; }
# Written aside and moved into place: a start that is cut off leaves no half a secret.
keep() {
  [ -s "$secrets/$1" ] || { cat >"$secrets/$1.new" && mv "$secrets/$1.new" "$secrets/$1"; }
}
[ -s "$secrets/postgres-password" ] || random | keep postgres-password
[ -s "$secrets/operator-password" ] || random | keep operator-password
[ -s "$secrets/grafana-password" ] || random | keep grafana-password
printf 'postgres://gridtokenx:%s@postgres:5432/gridtokenx' "$(cat "$secrets/postgres-password")" | keep database-url
for key in fee-payer collector-ack; do
  [ -s "$secrets/$key.json" ] || gtx keygen --out "$secrets/$key.json" >/dev/null
done

# Inside, the collector knows the broker by its service's name.
gtx broker rules --out "$state/mosquitto" --as "${BROKER_FOLDER:-/mosquitto/config}" --listen "${BROKER_LISTEN:-0.0.0.0:8883}" \
  --owner "$mosquitto" --tls-dir "$state/tls" --names "mosquitto,$GTX_NAMES" "$@"
cp "$state/mosquitto/logins/_collector.password" "$secrets/mqtt-password"
cp "$state/mosquitto/logins/_share-group" "$secrets/mqtt-share-group"

chown "$mosquitto" "$state/mosquitto/broker"
chown -R "$collector" "$secrets" "$state/tls"
chmod 600 "$secrets"/*
# The database's start reads its password as root, before it becomes its own user.
chown 0:0 "$secrets/postgres-password"
chown "$grafana" "$secrets/grafana-password"
# What Prometheus knows the collector by, and no more of its folder.
mkdir -p "$state/monitoring"
cp "$state/tls/ca.pem" "$state/monitoring/collector-ca.pem"
chmod 755 "$state/monitoring"
chmod 644 "$state/monitoring/collector-ca.pem"
# Compose mounts each file by its name: the folder only has to let them be found.
chmod 711 "$secrets"
