# Finding a container: names, ids, prefixes, conflicts
docker create --name name1 busybox true
docker create --name name2 busybox true
docker inspect -f '{{.Name}}' $(docker ps -aqf name=name1)
docker inspect -f '{{.Name}}' $(docker ps -aq --no-trunc -f name=name2) | head -1
docker inspect -f '{{.Name}}' /name1
docker inspect -f '{{.Name}}' NAME1
docker inspect -f '{{.Name}}' ''
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do docker create busybox true; done | cut -c1 | sort | uniq -d | head -1 >c; docker inspect -f '{{.Name}}' $(cat c) 2>&1 | sed "s/: $(cat c)\$/: C/"
docker rm name1 name2
docker container prune -f | sed 1d | grep -c '^[0-9a-f]\{64\}$'
docker create --name a busybox true
docker create --name aa busybox true
docker create --name b-B_2.x busybox true
docker create --name _x busybox true
docker create --name .x busybox true
docker create --name -- busybox true
docker create --name 'sp ace' busybox true
docker rm aa b-B_2.x
