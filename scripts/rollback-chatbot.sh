#!/bin/sh
# Roll a chatbot back; --help says how. All of it is in scripts/operate/rollback.py. PYTHON names another interpreter.
exec "${PYTHON:-python3}" "$(dirname -- "$0")/operate/rollback.py" "$@"
