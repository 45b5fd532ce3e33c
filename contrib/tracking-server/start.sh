#!/bin/sh
# Starts an MLflow server for this machine (127.0.0.1): on SQLite, or on the database that MLFLOW_BACKEND_STORE_URI names.
# Usage: [FOLDER=results/.server] [PORT=5000] contrib/tracking-server/start.sh [options of `mlflow server`]
set -eu
umask 077
export MLFLOW_AUTH_CONFIG_PATH="$(cd "$(dirname "$0")" && pwd)/auth.ini"
mkdir -p "${FOLDER:=results/.server}"
chmod 700 "$FOLDER"  # one made by hand may be open to others
cd "$FOLDER"
# Not as an option: every user of a machine can see command lines, and an address may have a password.
export MLFLOW_BACKEND_STORE_URI="${MLFLOW_BACKEND_STORE_URI:-sqlite:///mlflow.db}"
# Its job queue is of no use here, and takes 14 s of the start.
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true
exec mlflow server --host 127.0.0.1 --port "${PORT:-5000}" --workers 1 --artifacts-destination "$PWD/artifacts" "$@"
