#!/bin/sh
set -o errexit
set -o nounset

docker inspect zk > /dev/null 2>&1 || docker run \
    -p 2181:2181 -p 2888:2888 -p 3888:3888 \
    -e ZOO_MY_ID=2 -e ZOO_SERVERS='server.1=192.168.1.200:2888:3888;2181 server.2=0.0.0.0:2888:3888;2181 server.3=192.168.1.202:2888:3888;2181' \
    --name zk --restart always -d zookeeper
