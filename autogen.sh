#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes configure from configure.ac. Needed once after a clone; tools/quickstart runs it.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all
