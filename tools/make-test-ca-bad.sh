# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables shared with make-test-ca
# The part of make-test-ca that makes what must be refused. Sourced by it; uses its functions, $dir, $tmp,
# $team and $profiles. Each certificate is a good one with one thing wrong; each directory is made like a
# member's (cert.pem, key.pem, ca.pem). The expectations stand in tests/unit/tls.

refused=$profiles/refused.cnf
good=$profiles/profiles.cnf
subject=/O=$team

# subjectAltName as DER from URIs in printf notation, so that it can hold any byte: a NUL, a newline.
san_of_bytes() { # URI...
    names=''
    for uri; do
        # shellcheck disable=SC2059 # the URI is a format on purpose
        hex=$(printf "$uri" | od -An -v -tx1 | tr -d ' \n')
        names=$names$(printf '86%02x%s' $((${#hex} / 2)) "$hex")
    done
    length=$((${#names} / 2))
    [ "$length" -lt 128 ] || die "the test's names are too long for a short DER length"
    printf 'DER:30%02x%s' "$length" "$names"
}

# Signs the request in $tmp/bad with another CA than the books of this team know: leaf.pem.
sign_foreign() { # CA-DIRECTORY FILE SECTION [openssl x509 options...]
    foreign=$1 foreign_file=$2 foreign_section=$3
    shift 3
    quietly openssl x509 -req -in "$tmp/bad/request.pem" -CA "$foreign/cert.pem" -CAkey "$foreign/key.pem" \
        -sha256 -days 90 -set_serial "0x$(openssl rand -hex 16)" -extfile "$foreign_file" \
        -extensions "$foreign_section" -out "$tmp/bad/leaf.pem" "$@"
    rm "$tmp/bad/request.pem"
}

# A bad one by our own issuing CA.
bad() { # NAME FILE SECTION [SUBJECT [openssl ca options...]]
    bad_name=$1 bad_file=$2 bad_section=$3 bad_subject=${4:-$subject}
    shift 3
    [ $# -eq 0 ] || shift
    make_request "$tmp/bad"
    sign_request issuing "$tmp/bad" "$bad_subject" "$bad_file" "$bad_section" "$@"
    finish_bundle "$tmp/bad"
    publish bad "$bad_name"
}

bad_key() { # NAME [openssl req options for the key...]
    bad_name=$1
    shift
    make_request "$tmp/bad" /O=request "$@"
    sign_request issuing "$tmp/bad" "$subject" "$good" member
    finish_bundle "$tmp/bad"
    publish bad "$bad_name"
}

bad_identity() { # NAME URI...
    bad_name=$1
    shift
    SEALPOST_SAN=$(san_of_bytes "$@")
    bad "bad/$bad_name" "$good" member
    SEALPOST_SAN=URI:sealpost://$team/eve
}

# A CA of its own in $tmp/CA, under SUBJECT: self-signed, or signed by PARENT.
make_foreign_ca() { # CA SUBJECT [PARENT]
    make_request "$tmp/bad" "$2"
    if [ $# -eq 3 ]; then
        sign_foreign "$3" "$refused" issuing_any_depth
    else
        quietly openssl x509 -req -in "$tmp/bad/request.pem" -signkey "$tmp/bad/key.pem" -sha256 -days 365 \
            -set_serial "0x$(openssl rand -hex 16)" -extfile "$good" -extensions root -out "$tmp/bad/leaf.pem"
        rm "$tmp/bad/request.pem"
    fi
    mv "$tmp/bad/leaf.pem" "$tmp/bad/cert.pem"
    mv "$tmp/bad" "$tmp/$1"
}

# A bundle for a leaf by a foreign CA: the chain is given, nearest first.
bad_foreign() { # NAME CA FILE SECTION CHAIN-FILE...
    foreign_name=$1 foreign_ca=$2 foreign_profile=$3 foreign_kind=$4
    shift 4
    make_request "$tmp/bad" "$subject"
    sign_foreign "$foreign_ca" "$foreign_profile" "$foreign_kind"
    cat "$tmp/bad/leaf.pem" "$@" >"$tmp/bad/cert.pem"
    rm "$tmp/bad/leaf.pem"
    cp "$dir/root.pem" "$tmp/bad/ca.pem"
    publish bad "$foreign_name"
}

bad_self_signed() { # NAME SECTION
    make_request "$tmp/bad" "$subject"
    quietly openssl x509 -req -in "$tmp/bad/request.pem" -signkey "$tmp/bad/key.pem" -sha256 -days 90 \
        -set_serial "0x$(openssl rand -hex 16)" -extfile "$refused" -extensions "$2" -out "$tmp/bad/cert.pem"
    rm "$tmp/bad/request.pem"
    cp "$dir/root.pem" "$tmp/bad/ca.pem"
    publish bad "$1"
}

bad_padded() { # NAME BYTES
    padding=$(head -c "$2" /dev/zero | tr '\0' x)
    printf '%s\n' "s/SEALPOST_PADDING/$padding/" >"$tmp/padding.sed" # too long for a command line
    sed -f "$tmp/padding.sed" "$refused" >"$tmp/padded.cnf"
    bad "$1" "$tmp/padded.cnf" padded
}

make_bad_times_and_issuers() {
    bad bad/expired "$good" member "" -startdate 20200101000000Z -enddate 20200401000000Z
    bad bad/not-yet-valid "$good" member "" -startdate 20900101000000Z -enddate 20900401000000Z
    bad bad/revoked "$good" member
    revoke_file "$dir/bad/revoked/cert.pem"
    bad_foreign bad/other-ca "$tmp/other-issuing" "$good" member "$tmp/other-issuing/cert.pem" "$tmp/other-root/cert.pem"
    bad_foreign bad/other-ca-claims-ours "$tmp/other-issuing" "$good" member "$dir/issuing/cert.pem"
    bad_self_signed bad/self-signed self_signed
    bad_foreign bad/chain-too-long "$tmp/third" "$good" member "$tmp/third/cert.pem" "$tmp/second/cert.pem" "$tmp/first/cert.pem"
    # Chains to the root, but through a CA that the server was not told of.
    bad_foreign bad/unknown-issuing-ca "$tmp/first" "$good" member "$tmp/first/cert.pem"
    # A member plays CA.
    bad bad/member "$good" member
    bad_foreign bad/issued-by-member "$dir/bad/member" "$good" member "$dir/bad/member/cert.pem"
    rm -rf "$dir/bad/member"
}

make_bad_profiles() {
    bad bad/ca-as-leaf "$refused" ca_as_leaf
    make_request "$tmp/bad"
    quietly openssl x509 -req -in "$tmp/bad/request.pem" -CA "$dir/issuing/cert.pem" -CAkey "$dir/issuing/key.pem" \
        -sha256 -days 90 -set_serial "0x$(openssl rand -hex 16)" -out "$tmp/bad/leaf.pem" # no extensions: X.509 v1
    rm "$tmp/bad/request.pem"
    finish_bundle "$tmp/bad"
    publish bad bad/x509-v1
    bad bad/no-eku "$refused" no_eku
    bad bad/server-auth-only "$good" server
    bad bad/any-eku "$refused" any_eku
    bad bad/only-any-eku "$refused" only_any_eku
    bad bad/client-and-server "$refused" client_and_server
    bad bad/receipts "$good" receipts
    bad bad/no-key-usage "$refused" no_key_usage
    bad bad/wrong-key-usage "$refused" wrong_key_usage
    bad bad/unknown-critical "$refused" unknown_critical
    bad_key bad/rsa-1024 -newkey rsa:1024
    bad_key bad/rsa-2048 -newkey rsa:2048
    bad_key bad/p-192 -newkey ec -pkeyopt ec_paramgen_curve:prime192v1
    bad_key bad/p-384 -newkey ec -pkeyopt ec_paramgen_curve:P-384
    bad bad/no-key-identifier "$refused" no_key_identifier
    bad_padded bad/large 40000
    bad_padded bad/huge 250000
}

make_bad_identities() {
    ours=sealpost://$team
    bad_identity identity-nul "$ours/eve\\000.example"
    bad_identity identity-newline "$ours/eve\\n"
    bad_identity identity-upper-case "$ours/Eve"
    bad_identity identity-non-ascii "$ours/ev\\303\\251"
    bad_identity identity-empty "$ours/"
    bad_identity identity-33-characters "$ours/abcdefghijklmnopqrstuvwxyz0123456"
    bad_identity identity-two "$ours/eve" "$ours/alice"
    bad_identity identity-other-team "sealpost://other/eve"
    bad_identity identity-other-scheme "https://$team/eve"
    SEALPOST_SAN="URI:$ours/eve, DNS:alice"
    bad bad/identity-and-dns "$good" member
    SEALPOST_SAN="URI:$ours/eve, email:alice@example.org"
    bad bad/identity-and-email "$good" member
    SEALPOST_SAN=URI:$ours/eve
    bad bad/identity-none "$refused" no_identity
    bad bad/identity-in-cn "$refused" no_identity "$subject/CN=alice"
}

# $dir/bad/crl-WHAT.pem is the root's list and, of the issuing CA, what is wrong.
bad_crl() { # WHAT [openssl ca options...]
    crl_name=$1
    shift
    quietly openssl ca -gencrl -config "$tmp/crl.cnf" -name issuing -out "$tmp/one-crl.pem" "$@"
    cat "$tmp/crl-root.pem" "$tmp/one-crl.pem" >"$dir/bad/crl-$crl_name.pem"
}

make_bad_crls() {
    make_crls # knows of what was revoked above
    cp "$tmp/crl-root.pem" "$dir/bad/crl-missing.pem"
    cat "$profiles/ca.cnf" "$refused" >"$tmp/crl.cnf"
    bad_crl stale -crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z
    bad_crl future -crl_lastupdate 20900101000000Z -crl_nextupdate 20900201000000Z
    bad_crl delta -crlexts crl_delta
    bad_crl indirect -crlexts crl_indirect
    quietly openssl ca -gencrl -config "$profiles/ca.cnf" -name issuing -cert "$tmp/other-issuing/cert.pem" \
        -keyfile "$tmp/other-issuing/key.pem" -out "$tmp/one-crl.pem"
    cat "$tmp/crl-root.pem" "$tmp/one-crl.pem" >"$dir/bad/crl-wrong-issuer.pem"
    # The root withdraws the issuing CA: in a copy of its books.
    mkdir "$tmp/withdrawing"
    cp -R "$dir/root" "$tmp/withdrawing/root"
    SEALPOST_CA=$tmp/withdrawing
    quietly openssl ca -config "$profiles/ca.cnf" -name root -revoke "$dir/issuing/cert.pem"
    quietly openssl ca -gencrl -config "$profiles/ca.cnf" -name root -out "$tmp/one-crl.pem"
    SEALPOST_CA=$dir
    cat "$tmp/one-crl.pem" "$tmp/crl-issuing.pem" >"$dir/bad/crl-issuing-revoked.pem"
}

# Servers that a client must refuse. The client that meets them wants to reach localhost.
make_bad_servers() {
    SEALPOST_SAN=DNS:elsewhere.invalid,IP:192.0.2.1
    bad bad-servers/wrong-host "$good" server
    SEALPOST_SAN='DNS:*.invalid,DNS:localhost.invalid'
    bad bad-servers/wrong-host-in-cn "$good" server "$subject/CN=localhost"
    bad bad-servers/cn-only "$refused" server_cn_only "$subject/CN=localhost"
    SEALPOST_SAN=URI:sealpost://$team/eve
    bad bad-servers/member "$good" member
    SEALPOST_SAN=DNS:localhost,IP:127.0.0.1,IP:::1
    bad bad-servers/expired "$good" server "" -startdate 20200101000000Z -enddate 20200401000000Z
    bad bad-servers/not-yet-valid "$good" server "" -startdate 20900101000000Z -enddate 20900401000000Z
    bad bad-servers/no-server-auth "$refused" server_no_eku
    bad bad-servers/client-auth "$good" member
    bad bad-servers/no-key-identifier "$refused" server_no_key_identifier
    bad_foreign bad-servers/other-ca "$tmp/other-issuing" "$good" server "$tmp/other-issuing/cert.pem" "$tmp/other-root/cert.pem"
    bad_self_signed bad-servers/self-signed self_signed_server
    bad bad-servers/revoked "$good" server
    revoke_file "$dir/bad-servers/revoked/cert.pem"
}

make_all_bad() {
    rm -rf "$dir/bad" "$dir/bad-servers"
    mkdir -p "$dir/bad" "$dir/bad-servers"
    SEALPOST_SAN=URI:sealpost://$team/eve
    make_foreign_ca other-root "/O=$team/CN=$team root CA"
    make_foreign_ca other-issuing "/O=$team/CN=$team issuing CA" "$tmp/other-root"
    make_foreign_ca first "/O=$team/CN=$team first CA" "$dir/root"
    make_foreign_ca second "/O=$team/CN=$team second CA" "$tmp/first"
    make_foreign_ca third "/O=$team/CN=$team third CA" "$tmp/second"
    make_bad_times_and_issuers
    make_bad_profiles
    make_bad_identities
    make_bad_servers
    make_bad_crls
    # A client learns of revoked servers from lists that stand beside the pinned root.
    cat "$dir/root.pem" "$dir/crl.pem" >"$dir/bad-servers/revoked/ca.pem"
}
