# exec
docker run -d --name aa --network none -e A=1 -w /tmp -h hh busybox sleep 100
docker exec aa echo hi
docker exec aa sh -c 'echo out; echo err >&2; exit 5'
echo in | docker exec -i aa cat
echo in | docker exec aa cat
docker exec aa env
docker exec -e B=2 -e A=3 aa env
docker exec -t aa tty
docker exec -t aa env
docker exec -w /etc aa pwd
docker exec -w /nosuch aa pwd
docker exec aa pwd
docker exec -u user aa id
docker exec -u 7:8 aa id
docker exec -u nosuch aa id
docker exec -u root:nosuch aa id
docker exec aa nosuch
docker exec aa /etc/passwd
docker exec aa /nosuch/x
docker exec aa ''
docker exec -d aa sh -c 'echo xx >/tmp/made'
until docker exec aa test -s /tmp/made; do sleep 0.1; done
docker exec aa cat /tmp/made
docker exec -d aa nosuch
docker exec --privileged aa grep CapEff /proc/self/status
docker exec aa grep CapEff /proc/self/status
docker exec -u user aa grep CapEff /proc/self/status
docker exec --privileged -u user aa grep CapEff /proc/self/status
docker exec aa sh -c 'kill -9 $$'
docker exec aa sh -c 'kill -TERM $$'
docker exec --env-file nosuch aa env
docker exec --detach-keys nosuch aa true
docker exec -it aa true </dev/null
docker exec aa
docker exec nosuch true
docker inspect -f '{{.ExecIDs}}' aa
docker exec aa ps -o args
docker pause aa
docker exec aa true
docker unpause aa
docker stop -t 0 aa
docker exec aa true
docker rm aa
docker exec aa true
docker create --name bb busybox true
docker exec bb true
docker rm bb
