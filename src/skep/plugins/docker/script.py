"""What a machine runs as its only command: the engine, its Init once, and nothing that outlives the engine."""

FOLDER = "/skep"
"""Where the machine's private folder of the host is seen inside it."""

SCRIPT = r"""
set -u
umask 077
# Programs that ask whether they are in a container (AppArmor's set-up does) are told so.
export container=docker
folder=/skep
marker=/var/lib/docker/skep-init-done
owner=$(stat -c %u:%g $folder)
rm -f $folder/done $folder/failed $folder/e.sock /var/run/docker.pid
mount -o remount,rw /sys 2>/dev/null

# The engine's settings live as long as its data: a container that is made anew must find its labels again.
kept=/var/lib/docker/skep-etc
mkdir -p $kept
if [ ! -L /etc/docker ]; then
    cp -a /etc/docker/. $kept/ 2>/dev/null
    rm -rf /etc/docker
    ln -s $kept /etc/docker
fi

# What containers in here use shall count as this machine's.
parent=
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    # cgroup v2: a group with processes of its own can't hand controllers down, so they move into a group below.
    mount -o remount,rw /sys/fs/cgroup 2>/dev/null
    mkdir -p /sys/fs/cgroup/machine
    while read -r pid; do
        echo "$pid" > /sys/fs/cgroup/machine/cgroup.procs
    done < /sys/fs/cgroup/cgroup.procs 2>/dev/null
    for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control
    done 2>/dev/null
else
    # cgroup v1, the host's whole tree is seen: name this machine's place in it.
    parent=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
    [ "$parent" = / ] && parent=
fi
iptables -nL >/dev/null 2>&1 || PATH=/usr/local/sbin/.iptables-legacy:$PATH

dockerd -H unix:///var/run/docker.sock -H unix://$folder/e.sock \
    --storage-driver overlay2 --log-level warn ${parent:+--cgroup-parent "$parent"} &
engine=$!
trap 'kill -TERM $engine' TERM INT
# The host writes the first Init when the engine has answered it; only what lies here from before has to be held back.
ready='[ -S $folder/e.sock ]'
if [ -e $marker ] || [ -e $folder/init ]; then
    ready="$ready && docker version >/dev/null 2>&1"
fi
until eval "$ready"; do
    kill -0 $engine 2>/dev/null || { wait $engine; exit 1; }
    sleep 0.05
done
chown "$owner" $folder/e.sock

redacted() { sed -e 's/SWMTKN-[A-Za-z0-9_.-]*/SWMTKN-.../g' -e 's/--token[ =].*/--token .../' "$1"; }

until [ -e $marker ]; do
    kill -0 $engine 2>/dev/null || break
    if [ ! -e $folder/init ]; then
        sleep 0.05
        continue
    fi
    if sh $folder/init >/run/init.log 2>&1 </dev/null; then
        : >$marker
        sync $marker 2>/dev/null || sync
        rm -f $folder/init
    else
        code=$?
        rm -f $folder/init
        { echo "$code"; redacted /run/init.log | tail -n 1; } >$folder/failed.new
        chown "$owner" $folder/failed.new
        mv $folder/failed.new $folder/failed
    fi
    redacted /run/init.log >$folder/init.log
    chown "$owner" $folder/init.log
    rm -f /run/init.log
done
rm -f $folder/init
if [ -e $marker ]; then
    rm -f $folder/failed
    : >$folder/done
fi
while kill -0 $engine 2>/dev/null; do
    wait $engine
done
""".strip()
"""Files in the folder: `e.sock` the engine, `init` what shall be run (written by the host, gone afterwards), `done`
when the machine has been initialised and its engine answers, `failed` the exit code and the last line, `init.log`.

Init runs again only if it failed or the machine stopped in the middle of it; the marker lies beside the engine's data,
so it has their life. Output is kept without join tokens (semantics.md N22)."""
