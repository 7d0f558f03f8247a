#!/usr/bin/env bash
# Runs containerd and kubelet in namespaces of their own (processes, mounts, network, host name), joined to this machine
# by one cable. When its standard input closes, it ends. Whatever way it ends, the kernel ends every process in the
# namespaces with it (shims and containers too) and takes their mounts, links and firewall rules along, so that nothing
# of a node can be left on the machine by a test run that was killed.
#
#     bash init.sh <disk> <kubelet> <cgroup>
#
# <disk> is a directory that becomes the node's root: etc, run, var and tmp lie in it, /usr is this machine's. What is
# told: <disk>/network, the number of the node's network, once it is up; the kubelet starts when its kubeconfig is there.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
disk=$1 kubelet=$2 cgroup=$3

# One directory in each hierarchy of version 1, one in all in version 2.
make_cgroups() {
  local hierarchy
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    if [ -f "$hierarchy/cgroup.procs" ] && [ ! -L "$hierarchy" ]; then
      mkdir "$hierarchy/$cgroup"
      [ "$hierarchy" != /sys/fs/cgroup ] || break
    fi
  done
}

# The kernel may take a moment to let them go.
remove_cgroups() {
  local directories try
  for try in {1..50}; do
    mapfile -t directories < <(find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -name "$cgroup")
    [ ${#directories[@]} -gt 0 ] || break
    [ "$try" = 1 ] || sleep 0.1
    find "${directories[@]}" -depth -type d -exec rmdir {} + 2> /dev/null || true
  done
}

if [ "${4-}" != inside ]; then
  trap : INT TERM HUP # it ends with its input, after all that it started
  trap remove_cgroups EXIT
  make_cgroups
  # Descriptor 9 is this machine's network, which holds the other end of the cable.
  unshare --net --mount --uts --ipc --pid --fork --kill-child \
    bash "$0" "$disk" "$kubelet" "$cgroup" inside 9< /proc/self/ns/net
  exit
fi

# The network: the kernel refuses a name that is taken, so each number belongs to one node.
join_network() {
  for ((number = 0; number < 256; number++)); do
    link=lockkeeper$number
    problem=$(ip link add eth0 type veth peer name "$link" netns /proc/self/fd/9 2>&1) && break
    [[ $problem == *'File exists'* ]] || { echo "ip link add $link: $problem" >&2; exit 1; }
  done
  ((number < 256)) || { echo 'Every network of 198.18.0.0/16 is taken by a node.' >&2; exit 1; }
  on_host() { nsenter --net=/proc/self/fd/9 "$@"; }
  on_host ip address add "198.18.$number.1/24" dev "$link"
  on_host ip link set "$link" up
  ip link set lo up
  # An address of its own: else it changes with the pods that come and go, and connections to the kubelet stall.
  ip link add bridge0 address 02:00:00:00:00:fe type bridge
  ip address add "198.18.$number.254/24" dev bridge0
  ip link set bridge0 up
  ip link set eth0 master bridge0 up
  ip route add default via "198.18.$number.1"
  exec 9<&-
}

# The root: nothing of this machine can be written but what has no path of its own (devices, cgroups).
enter_root() {
  root=$disk/root
  mkdir -p "$root" "$disk"/{etc,run,tmp,var}
  mount -t tmpfs -o mode=755 tmpfs "$root"
  mkdir "$root"/{dev,etc,proc,run,sys,tmp,usr,var,sysctl}
  for name in bin lib lib32 lib64 sbin; do
    if [ -L "/$name" ]; then
      cp --no-dereference "/$name" "$root/$name"
    elif [ -d "/$name" ]; then
      mkdir "$root/$name"
      mount --rbind --options ro "/$name" "$root/$name"
    fi
  done
  mount --rbind --options ro /usr "$root/usr"
  mount --rbind /dev "$root/dev"
  mount --rbind /sys "$root/sys"
  mount -t proc proc "$root/proc"
  for name in etc run tmp var; do mount --bind "$disk/$name" "$root/$name"; done
  touch "$root/kubelet"
  mount --bind "$kubelet" "$root/kubelet"
  # kubelet wants these of the kernel as a whole: it sets copies.
  for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
    kernel/keys/root_maxbytes; do
    copy=$root/sysctl/${name//\//.}
    cat "/proc/sys/$name" > "$copy"
    mount --bind "$copy" "$root/proc/sys/$name"
  done
  echo "$number" > "$root/tmp/network"
  mv "$root/tmp/network" "$root/run/network"
  cd "$root"
  pivot_root . .
  umount --lazy .
  cd /
  mount --make-rshared /
  hostname lockkeeper-node
}

run() {
  local name=$1
  shift
  "$@" > "/var/log/$name.log" 2>&1 &
}

serve() {
  join_network
  enter_root
  mkdir -p /var/log
  run containerd containerd
  containerd=$!
  until [ -S /run/containerd/containerd.sock ] && ctr version > /dev/null 2>&1; do
    kill -0 "$containerd" 2> /dev/null || { tail -n 5 /var/log/containerd.log >&2; exit 1; }
    sleep 0.05
  done
  for archive in /var/images/*.tar; do ctr --namespace k8s.io images import "$archive" > /dev/null; done
  until [ -e /etc/kubernetes/kubelet.kubeconfig ]; do sleep 0.05; done
  run kubelet /kubelet --config=/etc/kubernetes/kubelet.yaml --kubeconfig=/etc/kubernetes/kubelet.kubeconfig \
    --node-ip="198.18.$number.254"
  wait -n -p ended || true
  case $ended in
    "$containerd") tail -n 3 /var/log/containerd.log >&2 ;;
    *) tail -n 3 /var/log/kubelet.log >&2 ;;
  esac
  exit 1
}

# Not left to the kernel where it can be helped: it removes the links of a network namespace some time after its end.
trap 'ip link delete eth0 2> /dev/null || true' EXIT
# Without job control, bash starts what runs beside it with SIGINT and SIGQUIT ignored, down to every container.
set -m
serve &
cat > /dev/null <&0 &
reader=$!
wait -n || true
# Whoever started this has gone, or containerd or kubelet has.
! kill -0 "$reader" 2> /dev/null
