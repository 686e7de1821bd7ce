# Sourced by every script: where the tree is and which cargo builds it. Prints nothing.
#
# A rustup installation keeps building everything but ebpf/; without one Debian's cargo does. Tools that
# cargo installs (bpf-linker) land in $CARGO_HOME/bin, which Debian does not put into PATH, so it is put there.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
: "${CARGO_HOME:=$HOME/.cargo}"
case ":$PATH:" in
    *":$CARGO_HOME/bin:"*) ;;
    *) PATH=$CARGO_HOME/bin:$PATH ;;
esac
# Postfix, nft, tc and HAProxy live in sbin, which an ordinary user's PATH may lack.
for dir in /usr/local/sbin /usr/sbin /sbin; do
    case ":$PATH:" in
        *":$dir:"*) ;;
        *) PATH=$PATH:$dir ;;
    esac
done
unset dir
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
export HOME CARGO_HOME PATH
# One file a machine keeps: the texts of every tool in English, sorted by bytes.
export LC_ALL=C.UTF-8

# Succeeds when a command of that name is in PATH.
have() { command -v "$1" >/dev/null 2>&1; }

# Prints the oldest compiler the workspace accepts, as Cargo.toml says it.
rust_version_min() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml"; }

# Prints the version of the compiler that cargo would use, or nothing.
rust_version() { (cd "$ROOT" && rustc --version 2>/dev/null) | sed -n 's/^rustc \([0-9.]*\).*/\1/p'; }

# Succeeds when version $1 is at least version $2.
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }
