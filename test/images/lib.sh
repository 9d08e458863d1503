# Sourced by build: what every recipe's `fill` is made of. `root` is the image's file system in the making.
# shellcheck shell=bash disable=SC2154 # `here` and `work` are set by build

say() { printf 'images: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# need FILE PACKAGE: FILE is there, or Debian's PACKAGE is installed for it, its services not started.
need() {
  [ -e "$1" ] && return
  "$here/../../setup/install" "$2" || fail "$1 is missing"
  [ -e "$1" ] || fail "$2 is installed and $1 is still missing"
}

# programs FILE…: copies each, at its own path, with the libraries that it is linked to.
programs() {
  local file
  for file; do copy "$file"; libraries "$file"; done
}
copy() { mkdir -p "$root$(dirname "$1")" && cp -L "$1" "$root$1"; }
libraries() {
  local library
  for library in $(ldd "$@" 2>/dev/null | grep -oE '/[^ :]+\.so[^ :]*' | sort -u); do
    [ -e "$root$library" ] || copy "$library"
  done
}
# tree FOLDER…: copies each whole, at its own path.
tree() {
  local folder
  for folder; do mkdir -p "$root$(dirname "$folder")" && cp -a "$folder" "$root$(dirname "$folder")/"; done
}
# user NAME ID
user() {
  printf '%s:x:%s:%s::/home/%s:/bin/sh\n' "$1" "$2" "$2" "$1" >>"$root/etc/passwd"
  printf '%s:x:%s:\n' "$1" "$2" >>"$root/etc/group"
}

# The shell and small tools that every image has: Debian's `busybox`, because the static one crashes on a name's look-up.
base_files() {
  root=$1
  mkdir -p "$root"/{bin,etc,home,root,tmp,usr/bin,usr/local/bin,var/run,var/log,var/tmp}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  user nobody 65534
  user www-data 33
  busybox_of_debian
  cp "$work/busybox-deb/bin/busybox" "$root/bin/busybox"
  libraries "$root/bin/busybox"
  local tool
  for tool in $("$root/bin/busybox" --list); do ln -s /bin/busybox "$root/bin/$tool"; done
  ln -s /bin/busybox "$root/usr/bin/env"
}
busybox_of_debian() { # unpacked, not installed: the package cannot live beside busybox-static
  [ -d "$work/busybox-deb" ] && return
  command -v apt-get >/dev/null || fail 'these images are made from Debian packages: build them on Debian'
  chmod 755 "$work" # for apt's own user
  (cd "$work" && { apt-get download -qq busybox || { apt-get update -qq && apt-get download -qq busybox; }; } >/dev/null 2>&1) ||
    fail "apt-get download busybox did not work: run apt-get update and try again"
  dpkg -x "$work"/busybox_*.deb "$work/busybox-deb"
}
