# Binds, volumes, tmpfs, volumes-from
mkdir -p dir; echo file >dir/f; echo xx >single
docker run --rm --network none -v $PWD/dir:/d busybox sh -c 'cat /d/f; echo new >/d/g'
cat dir/g
docker run --rm --network none -v $PWD/dir:/d:ro busybox touch /d/h
docker run --rm --network none -v $PWD/single:/etc/single:ro busybox cat /etc/single
docker run --rm --network none -v $PWD/made:/d busybox true; ls -d made
docker run --rm --network none --mount type=bind,source=$PWD/none,target=/d busybox true
docker run --rm --network none --mount type=bind,source=$PWD/dir,target=/d,readonly busybox sh -c 'touch /d/z; grep " /d " /proc/self/mountinfo | cut -d" " -f6'
docker run --rm --network none -v $PWD/dir:/etc/passwd busybox true
docker run --rm --network none -v $PWD/single:/etc busybox true
docker volume create v1
docker run --rm --network none -v v1:/data busybox sh -c 'echo hello >/data/x'
docker run --rm --network none -v v1:/data:ro busybox cat /data/x
docker run --rm --network none -v v1:/data:ro busybox touch /data/y
docker run --rm --network none -v auto:/data busybox true
docker volume ls
docker volume inspect v1
docker volume inspect auto
docker run --rm --network none -v copy:/etc busybox ls /etc
docker run --rm --network none -v copy:/other busybox cat /other/group
docker run --rm --network none -v nocopied:/etc:nocopy busybox ls /etc
docker run --rm --network none --mount type=volume,source=nc2,target=/etc,volume-nocopy busybox ls /etc
docker run -d --name src --network none -v v1:/a -v $PWD/dir:/b:ro -v /anon busybox sleep 100
docker inspect -f '{{range .Mounts}}{{json .}}{{println}}{{end}}' src | sed 's/[0-9a-f]\{64\}/ID/g' | sort
docker inspect -f '{{range .HostConfig.Binds}}{{println .}}{{end}}' src | sort
docker inspect -f '{{json .HostConfig.Mounts}} {{json .Config.Volumes}}' src
docker run --rm --network none --volumes-from src busybox sh -c 'cat /a/x /b/f; ls -d /anon; touch /b/q'
docker run --rm --network none --volumes-from src:ro busybox touch /a/x
docker create --name from --volumes-from src:ro --volumes-from src busybox true
docker inspect -f '{{json .HostConfig.VolumesFrom}}' from
docker inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}} {{.Mode}};{{end}}' from | tr ';' '\n' | sort
docker rm from
docker volume rm v1
docker volume ls -q -f dangling=true | sort
docker volume ls -q -f dangling=false | grep -v '^[0-9a-f]*$' | sort
docker rm -f src
docker volume ls -q | grep -c '^[0-9a-f]\{64\}$'
docker volume rm v1
docker run --rm --network none -v /anon2 busybox true
docker volume ls -q | grep -c '^[0-9a-f]\{64\}$'
docker run --rm --network none --tmpfs /t busybox sh -c 'grep " /t " /proc/mounts'
docker run --rm --network none --tmpfs /t:rw,size=64k,exec,mode=700,uid=5 busybox sh -c 'grep " /t " /proc/mounts; stat -c "%a %u" /t'
docker run --rm --network none --mount type=tmpfs,destination=/t,tmpfs-size=64k,tmpfs-mode=711 busybox sh -c 'grep " /t " /proc/mounts; stat -c %a /t'
docker run --rm --network none -v tm:/x --tmpfs /x/y busybox sh -c 'grep " /x" /proc/mounts | cut -d" " -f2,3'
docker create --name many --network none --tmpfs /t:size=1m --mount type=tmpfs,destination=/u --mount type=bind,source=$PWD/dir,target=/b,bind-propagation=rprivate --mount type=volume,source=v2,target=/w,volume-label=l=1 --mount type=volume,target=/anon busybox true
docker inspect -f '{{json .HostConfig.Mounts}} {{json .HostConfig.Tmpfs}}' many
docker inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{.Driver}} {{.Mode}} {{.RW}} {{.Propagation}};{{end}}' many | tr ';' '\n' | sort
docker volume inspect -f '{{json .Labels}}' v2
docker ps -a --format '{{.LocalVolumes}}' -f name=many
docker rm -v many
docker volume ls --format '{{.Name}}' | sed 's,[0-9a-f]\{64\},ID,' | sort
docker volume prune -f | sed 's/[0-9a-f]\{64\}/ID/' | sort
docker volume prune -af | sort
docker run --rm --network none -w /w -v $PWD/dir:/w busybox ls
docker run --rm --network none --mount type=volume,source=sub,target=/s,volume-subpath=a busybox true
docker run --rm --network none -v sub:/s busybox mkdir -p /s/a/b
docker run --rm --network none --mount type=volume,source=sub,target=/s,volume-subpath=a busybox ls /s
docker run --rm --network none --mount type=volume,source=sub,target=/s,volume-subpath=../x busybox ls /s
docker volume rm sub
