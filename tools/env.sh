# Sourced: puts the project's own Node and its programs first on PATH, installing and building what is missing.
sh tools/bootstrap.sh
PATH="$PWD/node_modules/node-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')/bin:$PWD/node_modules/.bin:$PATH"
export PATH
