#!/usr/bin/env bash
# What cargo calls as the linker: the work is in link.mjs.
exec node "$(dirname "${BASH_SOURCE[0]}")/link.mjs" "$@"
