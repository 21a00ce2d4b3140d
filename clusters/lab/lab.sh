#!/usr/bin/env bash
# A LAN of three Linux hosts on this one machine, to rehearse ray up, ray submit and ray down with no cloud account.
#
#   clusters/lab/lab.sh              a shell on the "laptop"; leave it with exit, and all of the lab is gone
#   clusters/lab/lab.sh CMD ARG...   runs one command there
#
# On the laptop: $LAB_YAML is clusters/local.yaml with the lab's addresses; `lab poweroff 3`, `lab boot 3`, `lab ssh 2 CMD`.
# Each host has its own network, processes, /tmp, /dev/shm, home and sshd (namespaces: it takes root on Linux, and
# nothing of it is visible outside). The environment and the repository are those of this machine.
set -euo pipefail

SELF=$(readlink -f "$0")
ROOT=$(dirname "$(dirname "$(dirname "$SELF")")")
VENV=${LAB_VENV:-$ROOT/.venv}
NET=172.31.77          # the laptop is .1, the hosts are .11, .12 and .13
HOSTS="1 2 3"
NAMESPACES="unshare --net --pid --mount --uts --ipc --fork --mount-proc --kill-child"
SSH="ssh -q -i /run/home/.ssh/ray_lab -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"

stop() { echo "lab: $1" >&2; exit 2; }

check_machine() {
  [ "$(uname -s)" = Linux ] || stop "it needs Linux; on other systems try: make cluster-up"
  [ "$(id -u)" = 0 ] || stop "it needs root, for networks of its own: sudo $SELF"
  local tool
  for tool in ip unshare rsync ssh-keygen /usr/sbin/sshd; do
    command -v $tool >/dev/null || stop "$tool is missing: apt-get install iproute2 openssh-server openssh-client rsync"
  done
  [ -x "$VENV/bin/ray" ] || stop "there is no Ray in $VENV: make setup"
}

private_folders() {   # $1: where this machine's home is kept, so that it survives a reboot
  mkdir -p "$1"
  mount -t tmpfs -o mode=755 tmpfs /mnt
  mkdir /mnt/venv /mnt/repository /mnt/home
  mount --bind "$VENV" /mnt/venv
  mount --bind "$ROOT" /mnt/repository
  mount --bind "$1" /mnt/home
  mount -t tmpfs -o mode=1777 tmpfs /tmp
  mount -t tmpfs -o mode=1777,size=1g tmpfs /dev/shm
  [ "$2" = laptop ] || mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p "$VENV" "$ROOT" /run/home /run/sshd
  mount --move /mnt/repository "$ROOT"
  mount --move /mnt/venv "$VENV"
  mount --move /mnt/home /run/home
  sed 's#^root:.*#root:x:0:0:root:/run/home:/bin/bash#' /etc/passwd > /run/passwd
  mount --bind /run/passwd /etc/passwd
  mkdir -p /run/home/.ssh
  export HOME=/run/home
  cd "$ROOT"
}

host_up() {
  LAB_ROLE=host LAB_HOST=$1 $NAMESPACES "$SELF" </dev/null >>"/run/lab/host$1.log" 2>&1 &
  local pid=$!
  echo $pid > "/run/lab/host$1.pid"
  until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
  ip link add "lab$1" type veth peer name "to$1" address "02:00:00:00:00:1$1"
  ip link set "lab$1" master lab0 up
  ip link set "to$1" netns $pid
  local tries
  for tries in $(seq 100); do
    timeout 1 bash -c "exec 3<>/dev/tcp/$NET.1$1/22" 2>/dev/null && return 0
    sleep 0.1
  done
  stop "host $1 did not start: $(tail -n 1 "/run/lab/host$1.log")"
}

laptop() {
  hostname laptop
  mount -t tmpfs -o mode=755 tmpfs /run
  private_folders /run/laptop laptop
  mkdir -p -m 700 /run/lab /run/lab/bin /run/home/.ray
  ssh-keygen -q -t ed25519 -N '' -f /run/home/.ssh/ray_lab
  ssh-keygen -q -t ed25519 -N '' -f /run/lab/hostkey
  export PATH=/run/lab/bin:$VENV/bin:$PATH RAY_AUTH_MODE=token
  (umask 077; ray get-auth-token --generate >/dev/null; chmod 600 /run/home/.ray/auth_token)
  touch /run/home/.bashrc
  LAB_KEY=$(cat /run/home/.ssh/ray_lab.pub) LAB_HOSTKEY=$(cat /run/lab/hostkey)
  export LAB_KEY LAB_HOSTKEY
  ip link set lo up
  ip link add lab0 type bridge
  ip addr add $NET.1/24 dev lab0
  ip link set lab0 up
  local host
  for host in $HOSTS; do host_up "$host"; done
  ln -s "$SELF" /run/lab/bin/lab
  export LAB_ROLE=control LAB_YAML=/run/lab/cluster.yaml
  sed -e "s#head_ip: 192.0.2.11 .*#head_ip: $NET.11#" -e "s#worker_ips: .*#worker_ips: [$NET.12, $NET.13]#" \
      -e "s#ssh_user: .*#ssh_user: root#" -e "s#ray_workshop\$#ray_lab#" clusters/local.yaml > $LAB_YAML
  if [ $# = 0 ]; then
    echo "Three hosts are up: $NET.11, $NET.12, $NET.13. Now: ray up -y \$LAB_YAML"
    set -- bash --norc
    export PS1='laptop$ '
  fi
  local code=0
  "$@" || code=$?
  exit $code
}

host() {
  hostname "host$LAB_HOST"
  private_folders "/run/lab/home$LAB_HOST" host
  # What a first ray up installs on a real host is this machine's own environment here.
  ln -sfn "$VENV" /run/home/ray-venv
  cp "$ROOT/constraints.txt" /run/home/.ray-venv-constraints
  echo "$LAB_KEY" > /run/home/.ssh/authorized_keys
  (umask 077; echo "$LAB_HOSTKEY" > /run/hostkey)
  until ip link show "to$LAB_HOST" >/dev/null 2>&1; do sleep 0.02; done
  ip link set "to$LAB_HOST" name eth0
  ip link set lo up
  ip addr add "$NET.1$LAB_HOST/24" dev eth0
  ip link set eth0 up
  printf '127.0.0.1 localhost\n%s host%s\n' "$NET.1$LAB_HOST" "$LAB_HOST" > /run/hosts
  mount --bind /run/hosts /etc/hosts
  exec env -i HOME=/run/home PATH="$PATH" /usr/sbin/sshd -D -e -f /dev/null -h /run/hostkey \
    -o ListenAddress="$NET.1$LAB_HOST" -o PidFile=/run/sshd.pid -o PermitRootLogin=prohibit-password \
    -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no -o UsePAM=no -o StrictModes=no -o MaxStartups=50
}

is_up() { [ -d "/proc/$(cat "/run/lab/host$1.pid")" ]; }

control() {
  case "${1:-} ${2:-}" in
    "poweroff "[123]) is_up "$2" || stop "host $2 is off already"; kill -9 "$(pgrep -P "$(cat "/run/lab/host$2.pid")")" ;;
    "boot "[123]) ! is_up "$2" || stop "host $2 is up already"; host_up "$2" ;;
    "ssh "[123]) local host=$2; shift 2; $SSH "root@$NET.1$host" "$@" ;;
    *) stop "say: lab poweroff 3, lab boot 3, lab ssh 2 CMD" ;;
  esac
}

case "${LAB_ROLE:-}" in
  "") check_machine; LAB_ROLE=laptop exec $NAMESPACES "$SELF" "$@" ;;
  laptop) laptop "$@" ;;
  host) host ;;
  control) control "$@" ;;
esac
