# inspect of a running container, top, stats, port, diff
docker run -d --name aa --network none -l k=v busybox sleep 100
docker inspect aa
docker top aa | awk '{print $1,$NF}'
docker top aa -o pid,comm | awk '{print NF,$2}'
docker top aa -eo comm
docker top aa -o nosuch
docker top aa aux | head -1
docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.NetIO}}' aa
docker stats --no-stream --format '{{.Container}} {{.ID}}' aa
docker stats --no-stream --no-trunc --format '{{.ID}}' aa
docker stats --no-stream nosuch
docker stats --no-stream --format '{{.Name}}'
docker diff aa | sort -k2
docker exec aa sh -c 'echo xx >/etc/new; rm /etc/group; chmod 700 /etc/passwd; mkdir -p /d/e; mkdir /var/f'
docker diff aa | sort -k2
docker inspect -f '{{.SizeRw}}' aa
docker inspect -s -f '{{gt .SizeRw 0.0}} {{gt .SizeRootFs .SizeRw}}' aa
docker pause aa
docker stats --no-stream --format '{{.Name}} {{.PIDs}}' aa
docker top aa -o comm
docker unpause aa
docker stop -t 0 aa
docker top aa
docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}}' aa
docker diff aa | sort -k2
docker inspect aa
docker rm aa
docker run -d --name bb -p 127.0.0.1:18200:80 -p 18201:81 -p 18202:82/udp --expose 99 busybox sleep 100
docker port bb
docker port bb 80
docker port bb 80/tcp
docker port bb 82/udp
docker port bb 82
docker port bb 99
docker port bb nosuch
docker inspect -f '{{json .NetworkSettings.Ports}}' bb
docker inspect -f '{{json .NetworkSettings}}' bb
docker stop -t 0 bb
docker port bb
docker inspect -f '{{json .NetworkSettings}}' bb
docker rm bb
docker run -d --name mm -m 32m --network none busybox sleep 100
docker stats --no-stream --format '{{.MemUsage}}' mm | sed 's/.* //'
docker rm -f mm
