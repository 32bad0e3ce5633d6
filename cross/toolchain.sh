# Toolchains for other processors out of Debian packages, unpacked into a folder of our own. Sourced by the scripts
# beside; needs Debian 12 on amd64, apt and a C compiler, and neither root nor a container engine.

# Compiler and standard library must match exactly, and newer ones come into the suites at times.
RUST=1.85.0+dfsg3-1~deb12u3

# target, Debian's architecture, prefix of the tools, emulator, where std comes from, OpenSSL for the target
TARGETS='
armv7-unknown-linux-gnueabihf   armhf    arm-linux-gnueabihf     qemu-arm      package openssl
aarch64-unknown-linux-gnu       arm64    aarch64-linux-gnu       qemu-aarch64  package openssl
armv5te-unknown-linux-gnueabi   armel    arm-linux-gnueabi       qemu-arm      source  openssl
i686-unknown-linux-gnu          i386     i686-linux-gnu          qemu-i386     package openssl
riscv64gc-unknown-linux-gnu     riscv64  riscv64-linux-gnu       qemu-riscv64  source  -
mips64el-unknown-linux-gnuabi64 mips64el mips64el-linux-gnuabi64 qemu-mips64el source  openssl
powerpc64le-unknown-linux-gnu   ppc64el  powerpc64le-linux-gnu   qemu-ppc64le  package openssl
s390x-unknown-linux-gnu         s390x    s390x-linux-gnu         qemu-s390x    package openssl
x86_64-unknown-linux-musl       amd64    x86_64-linux-musl       -             source  -
'

cache=${XDG_CACHE_HOME:-$HOME/.cache}/siot-cross
# Everything of one compiler in one folder: another pinned version starts afresh.
toolchain=$cache/$RUST
root=$toolchain/root

step() {
  printf '\n==> [%4ds] %s\n' "$SECONDS" "$*"
}

# The names of all targets.
target_names() {
  awk 'NF { print $1 }' <<<"$TARGETS"
}

# Sets arch, prefix, qemu, std and openssl to what the table says about a target.
look_up() {
  local line
  line=$(awk -v target="$1" '$1 == target' <<<"$TARGETS")
  if [ -z "$line" ]; then
    echo "no such target: $1; there are:" >&2
    target_names >&2
    return 1
  fi
  read -r _ arch prefix qemu std openssl <<<"$line"
}

# apt with its own lists, cache and idea of what is installed; mirror, keys and proxy are the machine's.
private_apt() {
  APT_CONFIG=$toolchain/apt/apt.conf "$@"
}

# Makes the private apt for the architectures given, and fetches their package lists.
set_up_apt() {
  local apt=$toolchain/apt architecture
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
  {
    printf 'Dir::State "%s";\n' "$apt/state"
    printf 'Dir::State::status "%s";\n' "$apt/status"
    printf 'Dir::Cache "%s";\n' "$apt/cache"
    printf 'Debug::NoLocking "true";\nAPT::Sandbox::User "root";\n'
    printf 'Acquire::Languages "none";\nAcquire::Retries "3";\n'
    for architecture in amd64 "$@"; do
      printf 'APT::Architectures { "%s"; };\n' "$architecture"
    done
  } >"$apt/apt.conf"
  # The machine's own packages count as installed, but for toolchains: those are always ours. What the rest depends on
  # is no matter.
  awk -v RS= -v FS='\n' '
    /^Package: ([^\n]*-cross|[^\n]*-linux-gnu[^\n]*|rust|cargo|libstd-rust|qemu-user|musl|libunwind)/ { next }
    {
      for (i = 1; i <= NF; i++) if ($i ~ /^(Package|Status|Version|Architecture|Multi-Arch|Provides):/) print $i
      print ""
    }' /var/lib/dpkg/status >"$apt/status"
  # One index out of step is no failure yet; a package that is really missing fails below.
  private_apt apt-get -qq update || echo "apt-get update failed in part; going on with what there is"
}

# Downloads packages with what they depend on, and unpacks them into the root.
unpack() {
  private_apt apt-get -qq install -y --no-install-recommends --download-only "$@"
  unpack_archives
}

# Downloads packages alone, for another architecture, and unpacks them into the root.
unpack_alone() {
  (cd "$toolchain/apt/cache/archives" && private_apt apt-get -qq download "$@")
  unpack_archives
}

unpack_archives() {
  local package
  for package in "$toolchain"/apt/cache/archives/*.deb; do
    dpkg-deb -x "$package" "${1:-$root}"
    rm "$package"
  done
}

# Does something that no other script may do at the same time.
locked() {
  local lock
  mkdir -p "$cache"
  exec {lock}>"$cache/lock"
  flock "$lock"
  "$@"
  exec {lock}>&-
}

# The compiler for this machine.
prepare_compiler() {
  locked unpack_compiler
}

# Compiler, linker, C library, emulator, std and OpenSSL of one target.
prepare_target() {
  look_up "$1"
  locked unpack_target "$1"
}

unpack_compiler() {
  [ -e "$toolchain/ready/compiler" ] && return
  step "unpacking Debian's Rust $RUST into $toolchain"
  mkdir -p "$root" "$toolchain/bin" "$toolchain/ready"
  set_up_apt
  unpack {rustc-web,cargo-web,libstd-rust-web-dev}="$RUST"
  touch "$toolchain/ready/compiler"
}

unpack_target() {
  unpack_compiler
  [ -e "$toolchain/ready/$1" ] && return
  step "unpacking what $1 needs"
  set_up_apt "$arch"
  if [ "$prefix" = x86_64-linux-musl ]; then
    unpack musl-tools libunwind-19-dev rust-web-src="$RUST"
    make_musl_linker
  else
    unpack "gcc-$prefix" "libc6-dev-$arch-cross" qemu-user-static
    # Linker scripts name the libraries by the paths that they would have if they were installed.
    sed -i -E "s#([ (])/usr/$prefix/#\1$root/usr/$prefix/#g" $(grep -lI '^GROUP' "$root/usr/$prefix/lib/"*.so)
  fi
  case $std in
    package) unpack_alone "libstd-rust-web-dev:$arch=$RUST" ;;
    source) unpack rust-web-src="$RUST" ;;
  esac
  [ "$openssl" = - ] || prepare_openssl "$1"
  touch "$toolchain/ready/$1"
}

# OpenSSL of a target to link statically; the headers that differ by architecture beside the common ones.
prepare_openssl() {
  local unpacked=$toolchain/openssl/$1
  mkdir -p "$unpacked"
  (cd "$toolchain/apt/cache/archives" && private_apt apt-get -qq download "libssl-dev:$arch")
  unpack_archives "$unpacked"
  cp -r "$unpacked/usr/include/"*-linux-*/openssl "$unpacked/usr/include/"
}

# A C compiler and linker for static programs with musl, and the unwinder that std asks for.
make_musl_linker() {
  local lib=$root/usr/lib/$prefix tool=$root/usr/bin/$prefix
  # The paths that they would have if they were installed.
  sed -i -E "s#/usr/(lib|include)/$prefix#$root&#g" "$lib/musl-gcc.specs"
  rm -f "$tool-gcc"
  # rustc asks for position-independent programs, for which Debian's musl has no start code.
  cat >"$tool-gcc" <<-EOF
	#!/usr/bin/env bash
	exec gcc "\${@/#-static-pie/-static}" -specs "$lib/musl-gcc.specs"
	EOF
  chmod +x "$tool-gcc"
  ln -sf "$(command -v ar)" "$tool-ar"
  # It was compiled for glibc, and asks for one function that musl does not have.
  cp "$root/usr/lib/llvm-19/lib/libunwind.a" "$lib/"
  "$tool-gcc" -c -O2 -U_FORTIFY_SOURCE -x c -o "$toolchain/stub.o" - <<-EOF
	#include <stdarg.h>
	#include <stdio.h>
	int __fprintf_chk(FILE *file, int flag, const char *format, ...) {
	  va_list arguments;
	  va_start(arguments, format);
	  int length = vfprintf(file, format, arguments);
	  va_end(arguments);
	  return length;
	}
	EOF
  ar r "$lib/libunwind.a" "$toolchain/stub.o"
}

# Runs Debian's cargo for this machine.
native_cargo() {
  RUSTC=$root/usr/bin/rustc RUSTDOC=$root/usr/bin/rustdoc LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu \
    "$root/usr/bin/cargo" "$@"
}

# Runs Debian's cargo for a prepared target: cross_cargo TARGET test ARGUMENT…
cross_cargo() {
  local target=$1 command=$2
  shift 2
  look_up "$target"
  (
    upper=${target^^}
    upper=${upper//-/_}
    under=${target//-/_}
    export "CARGO_TARGET_${upper}_LINKER=$root/usr/bin/$prefix-gcc"
    export "CC_$under=$root/usr/bin/$prefix-gcc" "AR_$under=$root/usr/bin/$prefix-ar"
    if [ "$qemu" != - ]; then
      # The emulated program gets its libraries from the target's root, and nothing of ours.
      export SIOT_TEST_EMULATOR="$root/usr/bin/$qemu-static -U LD_LIBRARY_PATH -L $root/usr/$prefix"
      export "CARGO_TARGET_${upper}_RUNNER=$SIOT_TEST_EMULATOR"
    fi
    if [ "$openssl" != - ]; then
      library=("$toolchain/openssl/$target/usr/lib/"*-linux-*)
      export "${upper}_OPENSSL_LIB_DIR=${library[0]}" "${upper}_OPENSSL_STATIC=1"
      export "${upper}_OPENSSL_INCLUDE_DIR=$toolchain/openssl/$target/usr/include"
    fi
    if [ "$prefix" = x86_64-linux-musl ]; then
      export "CARGO_TARGET_${upper}_RUSTFLAGS=-Ctarget-feature=+crt-static -Clink-self-contained=no -Lnative=$root/usr/lib/$prefix"
    fi
    build_std=()
    if [ "$std" = source ]; then
      export RUSTC_BOOTSTRAP=1
      # Optimised, as that of Debian is.
      build_std=(-Zbuild-std=std,panic_abort,test --config=profile.dev.package.{core,alloc,std}.opt-level=2)
    fi
    native_cargo "$command" --target "$target" "${build_std[@]}" "$@"
  )
}
