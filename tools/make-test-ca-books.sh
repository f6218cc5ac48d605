# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables shared with make-test-ca
# The part of make-test-ca that reads the books: what has been issued, whether it is still good, and its end
# by revocation. Sourced by it; uses its functions, $dir, $shown, $tmp, $team and $profiles. Whose a
# certificate is stands in itself and nowhere else; only the device, which no certificate names, is recorded
# beside it: issuing/devices, a line for each certificate of a member, SERIAL and DEVICE ("-" for none).

# Sets $serial, $end, $names (the subject if it has none) and $expired.
read_certificate() { # FILE
    expired=false
    openssl x509 -in "$1" -noout -serial -enddate -dateopt iso_8601 -checkend 0 >"$tmp/read" 2>/dev/null || expired=true
    serial=$(sed -n 's/^serial=//p' "$tmp/read")
    end=$(sed -n 's/^notAfter=//p' "$tmp/read")
    [ -n "$serial" ] || die "$1 is no certificate"
    # Control bytes never reach the terminal: some test certificates have them in their names.
    names=$(openssl x509 -in "$1" -noout -ext subjectAltName 2>/dev/null | sed 1d | tr -d '\000-\037\177' | sed 's/^ *//')
    [ -n "$names" ] || names=$(openssl x509 -in "$1" -noout -subject -nameopt RFC2253 | sed 's/^subject=//')
}

# Sets $state of what read_certificate has read: valid, revoked or expired; "unknown" if we never issued it.
judge_certificate() {
    case $(awk -F '\t' -v serial="$serial" '$4 "" == serial "" { print $1 }' "$dir/issuing/index.txt") in
    R) state=revoked ;;
    '') state=unknown ;;
    *) if $expired; then state=expired; else state=valid; fi ;;
    esac
}

# Sets $state, and $serial and $end, of what stands in a directory below DIR; "missing" if nothing does.
judge_bundle() { # DIRECTORY
    state=missing
    [ -f "$dir/$1/cert.pem" ] || return 0
    read_certificate "$dir/$1/cert.pem"
    judge_certificate
}

record_device() { # CERTIFICATE [DEVICE]
    read_certificate "$1"
    echo "$serial ${2:--}" >>"$dir/issuing/devices"
}

# An authority from before the devices were recorded: the directories tell.
record_old_devices() {
    : >"$dir/issuing/devices"
    for old in "$dir"/members/*/; do
        [ -f "$old/cert.pem" ] || continue
        old_member=$(sed 's/.*\///' "$old/identity")
        old_device=$(basename "$old")
        old_device=${old_device#"$old_member"}
        record_device "$old/cert.pem" "${old_device#.}"
    done
}

device_of() { # SERIAL
    awk -v serial="$1" '$1 "" == serial "" { device = $2 } END { print device == "" ? "-" : device }' "$dir/issuing/devices"
}

# "bob", "bob, device phone", or the names of what is no member's.
describe() { # NAMES DEVICE
    printf '%s' "${1#"URI:sealpost://$team/"}"
    [ "$2" = - ] || printf ', device %s' "$2"
}

cmd_list() {
    [ $# -eq 0 ] || usage_error "list takes no arguments"
    need_ca
    [ -s "$dir/issuing/index.txt" ] || note "nothing has been issued in $shown yet"
    # index.txt: status, end, revoked, serial, file, subject; the names are in the certificates only.
    cut -f 4 "$dir/issuing/index.txt" | while read -r listed; do
        read_certificate "$dir/issuing/issued/$listed.pem"
        judge_certificate
        device=$(device_of "$serial")
        [ "$device" = - ] && device='' || device=", device $device"
        printf '%-8s %-40s %s %s%s\n' "$state" "$serial" "$end" "$names" "$device"
    done
}

# Every certificate of these names that is good today, and also those that a --force has replaced: lines of
# SERIAL, DEVICE and end.
valid_of() { # NAMES
    awk -F '\t' '$1 == "V" { print $4 }' "$dir/issuing/index.txt" | while read -r listed; do
        read_certificate "$dir/issuing/issued/$listed.pem"
        if [ "$names" = "$1" ] && ! $expired; then
            echo "$serial $(device_of "$serial") $end"
        fi
    done
}

# Sets $owner, the names in the certificate, and puts its line (as of valid_of) into $tmp/chosen.
choose_file() { # FILE
    [ -f "$1" ] || die "there is no file '$1'"
    read_certificate "$1"
    issued=$dir/issuing/issued/$serial.pem
    # openssl would enter a stranger's certificate in our books, and withdraw nothing.
    if [ ! -f "$issued" ] || [ "$(fingerprint "$1")" != "$(fingerprint "$issued")" ]; then
        die "the certificate in $1 was not issued by the issuing CA in $shown"
    fi
    owner=$names
    judge_certificate
    if [ "$state" = revoked ]; then
        : >"$tmp/chosen"
    else
        echo "$serial $(device_of "$serial") $end" >"$tmp/chosen"
    fi
}

fingerprint() { # FILE
    openssl x509 -in "$1" -noout -fingerprint -sha256
}

# The same for a member: all devices, or one.
choose_member() { # NAME [DEVICE]
    member_directory "$@"
    owner=URI:sealpost://$team/$1
    valid_of "$owner" >"$tmp/valid"
    awk -v device="${2:-}" 'device "" == "" || $2 "" == device ""' "$tmp/valid" >"$tmp/chosen"
    [ -s "$tmp/chosen" ] || [ -f "$dir/members/$bundle/cert.pem" ] ||
        die "no certificate was issued for '$bundle', or none that is still valid; see: $program -d $shown list"
}

cmd_revoke() {
    if [ $# -lt 1 ] || [ $# -gt 2 ]; then
        usage_error "revoke needs a username and perhaps a device, or a certificate file"
    fi
    need_ca
    case $#:$1 in
    1:*/*) choose_file "$1" ;;
    *) if [ $# -eq 1 ] && [ -f "$1" ]; then choose_file "$1"; else choose_member "$@"; fi ;;
    esac
    while read -r serial device end; do
        revoke_file "$dir/issuing/issued/$serial.pem"
        echo "revoked $(describe "$owner" "$device"): $serial, which was valid until $end"
    done <"$tmp/chosen"
    make_crls
    [ -s "$tmp/chosen" ] || note "there was nothing to revoke: it is revoked or expired already"
    valid_of "$owner" | while read -r serial device end; do
        echo "still valid: $(describe "$owner" "$device"): $serial, until $end"
    done
    echo "made $shown/crl.pem anew; the server heeds it when it reads its files again (SIGHUP)"
}

revoke_file() { # FILE
    if ! openssl ca -config "$profiles/ca.cnf" -name issuing -revoke "$1" >"$tmp/said" 2>&1; then
        grep -q 'Already revoked' "$tmp/said" && return
        cat "$tmp/said" >&2
        die "$1 could not be revoked"
    fi
}
