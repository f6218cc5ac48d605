/* What init writes besides certificates: configuration and systemd unit, with comments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/file.h"
#include "server/init.h"
#include "server/settings.h"

static const char config_text[] =
    "# sealpostd's configuration: see sealpost.conf(5), and 'sealpostd help run' for every key.\n"
    "# Paths are relative to this file. After a change of keys marked with * there, a running\n"
    "# server takes them anew by itself.\n"
    "\n"
    "listen = %s\n"
    "host   = %s          # under which clients find the server; stands in join codes\n"
    "team   = %s\n"
    "\n"
    "# The certificate authority, the server's certificate, and the revocation lists. The list of\n"
    "# the issuing CA and the server's certificate are made anew in time by the server itself.\n"
    "ca   = ca.pem\n"
    "cert = server/cert.pem\n"
    "key  = server/key.pem\n"
    "crl  = crl.pem\n"
    "\n"
    "# Who signs for those who join by a code. Without these two nobody can join.\n"
    "issuer_cert = ca/issuing.pem\n"
    "issuer_key  = ca/issuing-key.pem\n"
    "\n"
    "# ca: every valid certificate of the authority makes a member; none: only those who have "
    "joined\n"
    "admit = %s\n"
    "\n"
    "# The database and the files. What is here is the team's: back it up.\n"
    "state = state\n"
    "\n"
    "# message_rate   = 50    # messages and files a second from one member\n"
    "# max_file_bytes = 1T\n"
    "# disk_reserve   = 256M  # free space that files never get\n";

static const char unit_text[] =
    "# cp sealpostd.service /etc/systemd/system/ && systemctl enable --now sealpostd\n"
    "# The directory %s must belong to the user that is named here.\n"
    "[Unit]\n"
    "Description=Sealpost, the team %s\n"
    "After=network-online.target\n"
    "Wants=network-online.target\n"
    "\n"
    "[Service]\n"
    "ExecStart=%s run %s\n"
    "ExecReload=/bin/kill -HUP $MAINPID\n"
    "User=sealpost\n"
    "Restart=on-failure\n"
    "RestartSec=1\n"
    "TimeoutStopSec=20\n"
    "LimitNOFILE=65536\n"
    "LimitCORE=0\n"
    "UMask=0077\n"
    "NoNewPrivileges=yes\n"
    "ProtectSystem=strict\n"
    "ReadWritePaths=%s\n"
    "ProtectHome=read-only\n"
    "PrivateTmp=yes\n"
    "PrivateDevices=yes\n"
    "ProtectKernelTunables=yes\n"
    "ProtectKernelModules=yes\n"
    "ProtectKernelLogs=yes\n"
    "ProtectControlGroups=yes\n"
    "ProtectClock=yes\n"
    "ProtectHostname=yes\n"
    "ProtectProc=invisible\n"
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n"
    "RestrictNamespaces=yes\n"
    "RestrictRealtime=yes\n"
    "RestrictSUIDSGID=yes\n"
    "LockPersonality=yes\n"
    "MemoryDenyWriteExecute=yes\n"
    "CapabilityBoundingSet=\n"
    "SystemCallArchitectures=native\n"
    "SystemCallFilter=@system-service\n"
    "SystemCallFilter=~@privileged @resources\n"
    "\n"
    "[Install]\n"
    "WantedBy=multi-user.target\n";

/* DIRECTORY/NAME with TEXT, which is freed; NULL: memory has run out. */
static enum sp_error write_one(const char *directory, const char *name, unsigned mode, char *text,
                               char *message, size_t capacity)
{
    char path[INIT_PATH_BYTES + 64];
    char why[256];
    enum sp_error error = SP_ENOMEM;
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    (void)snprintf(why, sizeof why, "out of memory");
    if (text != NULL) {
        error = file_write_new(path, mode, text, strlen(text), why, sizeof why);
    }
    if (error != SP_OK) {
        (void)snprintf(message, capacity, "%s: %s", path, why);
    }
    free(text);
    return error;
}

/* "HOST" or "HOST:PORT", with brackets where they are needed. */
static void format_host(const struct init_order *order, char *out, size_t capacity)
{
    const char *name = order->hosts.names[0];
    bool v6 = strchr(name, ':') != NULL;
    char port[8] = "";
    if (order->port != DEFAULT_PORT) {
        (void)snprintf(port, sizeof port, ":%u", order->port);
    }
    (void)snprintf(out, capacity, v6 ? "[%s]%s" : "%s%s", name, port);
}

/*
 * PATH in quotes, as systemd reads it (systemd.syntax(7)): '%' stands twice, and in the arguments
 * of a command '$' too. Only commands know \xHH, and no other path has control characters (init.c).
 * NULL: memory has run out; the caller frees it.
 */
static char *quote(const char *path, bool argument)
{
    char *out = malloc(4 * strlen(path) + 3);
    size_t size = 0;
    if (out == NULL) {
        return NULL;
    }
    out[size++] = '"';
    for (const char *at = path; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x20 || byte == 0x7f) {
            size += (size_t)snprintf(out + size, 5, "\\x%02x", byte);
            continue;
        }
        if (byte == '"' || byte == '\\') {
            out[size++] = '\\';
        } else if (byte == '%' || (byte == '$' && argument)) {
            out[size++] = *at;
        }
        out[size++] = *at;
    }
    out[size++] = '"';
    out[size] = '\0';
    return out;
}

static char *format_unit(const char *team, const char *program, const char *directory)
{
    char shown[4 * INIT_PATH_BYTES];
    char *text = NULL;
    char *quoted_program = quote(program, false);
    char *argument = quote(directory, true);
    char *quoted_directory = quote(directory, false);

    (void)escape_for_terminal(directory, strlen(directory), false, shown, sizeof shown);
    if (quoted_program == NULL || argument == NULL || quoted_directory == NULL ||
        asprintf(&text, unit_text, shown, team, quoted_program, argument, quoted_directory) < 0) {
        text = NULL;
    }
    free(quoted_program);
    free(argument);
    free(quoted_directory);
    return text;
}

enum sp_error init_write_files(const struct init_order *order, const char *team,
                               const char *directory, const char *final, char *message,
                               size_t capacity)
{
    char host[LIMIT_HOST_BYTES + 16];
    char listen_on[32];
    char program[INIT_PATH_BYTES] = "/usr/local/sbin/sealpostd";
    char *text = NULL;
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (size > 0) {
        program[size] = '\0';
    }
    format_host(order, host, sizeof host);
    (void)snprintf(listen_on, sizeof listen_on, "[::]:%u", order->port);
    if (asprintf(&text, config_text, order->listen != NULL ? order->listen : listen_on, host, team,
                 order->adopt != NULL ? "ca" : "none") < 0) {
        text = NULL;
    }
    enum sp_error error = write_one(directory, SETTINGS_FILE_NAME, 0644, text, message, capacity);
    if (error != SP_OK) {
        return error;
    }
    return write_one(directory, "sealpostd.service", 0644, format_unit(team, program, final),
                     message, capacity);
}
