#!/bin/sh
set -o errexit
set -o nounset

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y zookeeperd openjdk-8-jdk-headless || apt-get install -y zookeeperd default-jre-headless

cat << EOF > /etc/zookeeper/conf/zoo.cfg
tickTime=2000
dataDir=/var/lib/zookeeper
clientPort=2181
initLimit=5
syncLimit=2

server.1=192.168.1.200:2888:3888

server.2=192.168.1.201:2888:3888

server.3=192.168.1.202:2888:3888
EOF
echo '2' > /var/lib/zookeeper/myid
systemctl reload-or-restart zookeeper
