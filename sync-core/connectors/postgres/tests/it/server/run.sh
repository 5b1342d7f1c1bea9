# A throw-away cluster that lives as long as its standard input: whoever started it may die in any way.
# Arguments: where the server's programs are, a folder of this user's own, a port; for a standby, its primary's port, too.
set -eu
bin=$1 dir=$2 port=$3
data=$dir/data

start() {
    # Nothing of it must outlive the computer, so it need not wait for the disk.
    "$bin/pg_ctl" -D "$data" -w -s -l "$dir/log" -o "-p $port -k $dir -c listen_addresses=127.0.0.1 \
        -c fsync=off -c full_page_writes=off -c max_connections=200 -c log_statement=ddl \
        -c ssl=on -c ssl_cert_file=$dir/server.crt -c ssl_key_file=$dir/server.key" start
}
stop() { "$bin/pg_ctl" -D "$data" -m immediate -w -s stop; }

trap '' INT
if [ $# -gt 3 ]; then
    "$bin/pg_basebackup" -D "$data" -h 127.0.0.1 -p "$4" -U postgres -R -X stream -c fast --no-sync
else
    "$bin/initdb" -D "$data" -U postgres -E UTF8 --locale=C --auth=trust --no-sync >"$dir/log" 2>&1
    # Members of the role "locked" need a password, all others none.
    echo 'host all +locked 127.0.0.1/32 scram-sha-256' | cat - "$data/pg_hba.conf" >"$dir/hba"
    cp "$dir/hba" "$data/pg_hba.conf"
fi
start
echo ready
while read -r command; do
    case $command in
        start) start ;;
        stop) stop ;;
        promote) "$bin/pg_ctl" -D "$data" -w -s promote ;;
    esac
    echo ready
done
stop 2>/dev/null || true
rm -rf "$dir"
