#!/bin/sh
# Deploy a chatbot; --help says how. All of it is in scripts/operate/deploy.py. PYTHON names another interpreter.
exec "${PYTHON:-python3}" "$(dirname -- "$0")/operate/deploy.py" "$@"
