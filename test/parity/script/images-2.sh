# Images with a registry, events of each verb, archives of each compression, imports from everywhere, search
$BERTH registry serve --addr 127.0.0.1:5055 --root $PWD/reg >reg.log 2>&1 & echo $! >reg.pid; until busybox wget -qO- http://127.0.0.1:5055/v2/ 2>/dev/null; do sleep 0.1; done
mkdir -p web/v1 r; echo 1 >r/f; tar -C r -cf web/root.tar .; gzip -k web/root.tar
busybox httpd -f -p 127.0.0.1:5056 -h web >/dev/null 2>&1 & echo $! >web.pid
sleep 1; date +%s >since
docker tag busybox 127.0.0.1:5055/a/b:1
docker push 127.0.0.1:5055/a/b:1 | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker push -q 127.0.0.1:5055/a/b:1
docker push 127.0.0.1:5055/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000
docker tag busybox 127.0.0.1:5055/a/b:2
docker push -a 127.0.0.1:5055/a/b | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}}' | sort | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker image inspect -f '{{range .RepoTags}}{{.}} {{end}}{{range .RepoDigests}}{{.}} {{end}}' busybox | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker rmi 127.0.0.1:5055/a/b:1 | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker rmi 127.0.0.1:5055/a/b:2 | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker image inspect -f '{{len .RepoDigests}}' busybox
docker rmi busybox | grep -c .
docker pull 127.0.0.1:5055/a/b:1 | sed 's/sha256:[0-9a-f]*/DIGEST/; s/^[0-9a-f]\{12\}/LAYER/' | grep -v 'Downloading\|Extracting\|Verifying\|Download complete\|Waiting'
docker pull 127.0.0.1:5055/a/b:1 | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker pull -q 127.0.0.1:5055/a/b:2
docker pull -a 127.0.0.1:5055/a/b | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker image inspect -f '{{index .RepoDigests 0}}' 127.0.0.1:5055/a/b:1 >digest
docker pull -q $(cat digest) | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker pull 127.0.0.1:5055/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000
docker images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}}' | sort | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker images -f dangling=true -q
docker rmi 127.0.0.1:5055/a/b:1 127.0.0.1:5055/a/b:2 | sed 's/sha256:[0-9a-f]*/DIGEST/' | grep -v Deleted
docker images -q | wc -l
# By digest alone
docker pull -q $(cat digest) | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker images --format '{{.Repository}} {{.Tag}}'
docker images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}}' | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker images -f dangling=true --format '{{.Repository}} {{.Tag}}'
docker image prune -f | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker pull -q $(cat digest) >/dev/null
docker create --name by-digest $(cat digest) true | cut -c1-1 | tr a-f 0 | tr 1-9 0
docker ps -a --format '{{.Image}}' | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker rmi $(cat digest) 2>&1 | sed 's/sha256:[0-9a-f]*/DIGEST/; s/[0-9a-f]\{12\}/ID/g'
docker rmi $(docker images -q) 2>&1 | sed 's/[0-9a-f]\{12\}/ID/g'
docker rm by-digest
docker tag $(cat digest) busybox
docker tag $(cat digest) other/name:1
docker rmi $(docker images -q busybox) 2>&1 | sed 's/[0-9a-f]\{12\}/ID/g'
docker rmi $(cat digest) | sed 's/sha256:[0-9a-f]*/DIGEST/'
docker rmi other/name:1
docker images --format '{{.Repository}} {{.Tag}}'
# Archives
docker save busybox >plain.tar
gzip -c plain.tar >gzip.tar; docker load -q -i gzip.tar
docker save busybox | gzip | docker load
docker save -o /nosuch/x busybox
docker save -o $PWD busybox
head -c 3000 plain.tar | docker load
head -c 100 gzip.tar | docker load
tar -cf empty.tar -T /dev/null; docker load -i empty.tar
# Imports
docker import web/root.tar from/file:1 | cut -c1-7
docker import web/root.tar.gz from/gzip:1 | cut -c1-7
docker import http://127.0.0.1:5056/root.tar from/url:1 2>&1 | tail -1 | cut -c1-7
docker import http://127.0.0.1:5056/nosuch.tar from/url:2
docker import http://127.0.0.1:5057/root.tar from/url:2
docker import --message 'said so' --change 'CMD echo' http://127.0.0.1:5056/root.tar.gz from/url:3 2>&1 | tail -1 | cut -c1-7
docker image inspect -f '{{.Comment}} {{.Config.Cmd}} {{.Architecture}} {{.Os}}' from/url:3
docker history --format '{{.Comment}}|{{.CreatedBy}}' from/url:1
docker history --format '{{.Comment}}|{{.CreatedBy}}' from/file:1
cat web/root.tar | docker import - | cut -c1-7
cat web/root.tar | docker import --platform linux/arm/v7 - plat:1 | cut -c1-7
docker image inspect -f '{{.Architecture}} {{.Variant}} {{.Os}}' plat:1
docker import --change 'ENV a=$HOME b="c d"' -c 'ENV e f g' -c 'LABEL a.b="c" d=e' -c 'EXPOSE 80/tcp 90/udp 100-102' -c 'VOLUME ["/a","/b c"]' -c 'CMD ["a", "b"]' -c 'ENTRYPOINT x y' -c 'USER 1:2' -c 'WORKDIR /a' -c 'WORKDIR b' -c 'STOPSIGNAL 9' -c 'ONBUILD RUN y' -c 'HEALTHCHECK NONE' web/root.tar changed:1 | cut -c1-7
docker image inspect -f '{{json .Config}}' changed:1
for c in 'ENV a' 'EXPOSE 99999' 'VOLUME []' 'ONBUILD ONBUILD x' 'HEALTHCHECK CMD' 'HEALTHCHECK --interval=1 CMD x' 'SHELL ["x"]' 'ENV a=1 b' '# comment'; do echo "$c"; docker import -c "$c" web/root.tar 2>&1 | cut -c1-100 | sed 's/sha256:[0-9a-f]*/ID/'; done
# Search
printf '{"num_results":3,"results":[{"name":"sea/boat","description":"floats on all of the seven seas, and on rivers and lakes too","star_count":7,"is_official":true,"is_automated":false},{"name":"sea/rock","description":"a\\nb","star_count":2,"is_official":false,"is_automated":true},{"name":"x","star_count":0}]}' >web/v1/search
docker search 127.0.0.1:5056/boat
docker search --no-trunc 127.0.0.1:5056/boat
docker search --format '{{.Name}}: {{.StarCount}} {{.IsOfficial}} {{.IsAutomated}}' 127.0.0.1:5056/boat
docker search --format json 127.0.0.1:5056/boat
docker search --filter is-official=true --format '{{.Name}}' 127.0.0.1:5056/boat
docker search --filter is-official=maybe 127.0.0.1:5056/boat
docker search --filter stars=2 --format '{{.Name}}' 127.0.0.1:5056/boat
docker search --filter stars=x 127.0.0.1:5056/boat
docker search --filter nosuch=1 127.0.0.1:5056/boat
docker search --limit 101 127.0.0.1:5056/boat
docker search 127.0.0.1:5055/boat
docker search http://127.0.0.1:5056/boat
# What was told of it
docker tag busybox told:1; docker save told:1 >/dev/null; docker rmi told:1; sleep 1; date +%s >until
docker events --since $(cat since) --until $(cat until) -f type=image --format '{{.Action}} {{.Actor.Attributes.name}}' | sed 's/sha256:[0-9a-f]*/DIGEST/' | grep -v ' DIGEST$' | sort | uniq -c | sed 's/^ *//'
docker events --since $(cat since) --until $(cat until) -f type=image --format '{{.Action}}' | sort -u
docker events --since $(cat since) --until $(cat until) -f image=told:1 --format '{{.Action}} {{.Type}} {{.Scope}}'
docker events --since $(cat since) --until $(cat until) -f event=push --format '{{.Actor.ID}} {{json .Actor.Attributes}}' | sort -u
docker events --since $(cat since) --until $(cat until) -f event=pull --format '{{.Actor.ID}} {{json .Actor.Attributes}}' | sed 's/sha256:[0-9a-f]*/DIGEST/' | sort -u
docker images -q | sort -u | grep -v $(docker images -q busybox) | xargs docker rmi -f >/dev/null
kill $(cat reg.pid web.pid)
