# Legacy links, and namespaces of other containers
docker run -d --name db -e PW=1 --expose 80 busybox sleep 100
docker run --rm --link db:data busybox sh -c 'grep -c data /etc/hosts; env | grep -c ^DATA_'
docker run --rm --link db:data --name linked busybox sh -c 'env | grep DATA_ | sed "s/=tcp:..[0-9.]*/=tcp:ADDR/; s/ADDR=[0-9.]*/ADDR=/" | sort'
docker create --name ll --link db:alias busybox true
docker inspect -f '{{json .HostConfig.Links}}' ll
docker ps -a --format '{{.Names}}' --no-trunc | sort
docker rm --link /l/alias
docker inspect -f '{{json .HostConfig.Links}}' ll
docker rm --link nosuch
docker rm ll
docker run --rm --link nosuch busybox true
docker run --rm --link db:bad/alias busybox true
docker stop -t 0 db
docker run --rm --name late --link db busybox true
docker rm db
