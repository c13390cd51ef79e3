# tag, images, history, inspect, rmi, save, load, import, prune
docker images
docker images --format '{{.Repository}} {{.Tag}} {{.ID}} {{.Digest}} {{.CreatedSince}}'
docker tag busybox one/two:three
docker tag busybox:latest UPPER
docker tag busybox bad:tag:x
docker tag nosuch xx
docker images --format '{{.Repository}}:{{.Tag}}' | sort
docker images -q | sort -u | wc -l
docker images one/two --format '{{.Tag}}'
docker images 'one/*' --format '{{.Tag}}'
docker images nosuch
docker images -f reference='*box' --format '{{.Repository}}'
docker images -f dangling=true
docker images -f dangling=x
docker images -f label=x
docker images -f before=busybox -q
docker images -f since=nosuch
docker images -f nosuch=1
docker images --no-trunc --digests | sort
docker image inspect busybox
docker image inspect -f '{{.Architecture}} {{.Os}} {{json .Config.Cmd}} {{len .RootFS.Layers}} {{json .RepoTags}} {{json .RepoDigests}} {{json .Metadata.LastTagTime}}' busybox | sed 's/"[0-9-]*T[^"]*"/TIME/'
docker image inspect nosuch
docker inspect --type image nosuch
docker history busybox
docker history --no-trunc --format '{{.ID}} {{.CreatedBy}} {{.Comment}}' busybox
docker history nosuch
mkdir -p root/bin; echo xx >root/file
tar -C root -c . | docker import -c 'CMD ["/bin/sh"]' -c 'ENV A=1 B=2' -c 'EXPOSE 80' -c 'WORKDIR /w' -c 'USER u' -c 'LABEL l=1' -c 'VOLUME /v' -c 'ENTRYPOINT ["x"]' -c 'STOPSIGNAL USR1' -c 'HEALTHCHECK --interval=5s CMD true' -c 'ONBUILD RUN x' -m 'a message' - imported:v1
docker image inspect imported:v1
docker history imported:v1
tar -C root -c . | docker import -c 'NOSUCH x' - bad
tar -C root -c . | docker import -c 'RUN x' - bad
tar -C root -c . | docker import - 'BAD NAME'
docker import nosuch.tar
echo garbage | docker import - garbage
docker images --format '{{.Repository}}:{{.Tag}}' -f label=l
docker images --format '{{.Repository}}:{{.Tag}}' -f label=l=2
docker save -o s.tar imported:v1 busybox; tar -tf s.tar | grep -c .
docker save nosuch
docker save -o nosuch/s.tar busybox
docker rmi imported:v1
docker load -i s.tar
docker load -q -i s.tar
docker load -i nosuch.tar
echo garbage | docker load
docker load </dev/null
docker create --name user imported:v1
docker inspect -f '{{json .Config}}' user
docker rmi imported:v1
docker rmi -f imported:v1
docker rm user
docker volume prune -f >/dev/null
docker image prune -f
docker images --format '{{.Repository}}:{{.Tag}}' -a | sort
docker rmi nosuch
docker rmi one/two:three
docker rmi one/two:three
docker tag busybox t1; docker tag busybox t2; docker rmi t1 t2
docker run -d --name run --network none busybox sleep 100
docker rmi busybox
docker rmi -f busybox
docker rmi $(docker images -q busybox)
docker rmi -f $(docker images -q busybox)
docker tag busybox second
docker rmi $(docker images -q second)
docker rmi -f second
docker rm -f run
docker image prune -f --filter nosuch=1
docker image prune -f --filter until=nosuch
docker image prune -af --filter label=nosuch
docker image ls --format '{{.Repository}}'
docker image rm ''
docker image tag busybox ''
docker image prune -f >/dev/null
