"""A file for the `http` block of nginx, open source."""

from string import Template

from .address import at
from .facts import AppFacts
from .options import Options
from .remarks import head

FAIL_TIMEOUT = 10
REMARKS = (
    "nginx, open source, never asks readiness: its active checks (`health_check`) are part of NGINX Plus. It notices an"
    " instance that refuses connections, and sends the request to the next one. An instance that answers 503 stays in.",
    "So a Drain changes little here, and its delay is only waited for. Before you stop an instance, mark its line as"
    " `down` and reload nginx; or put HAProxy, Envoy or Caddy here, which ask.",
)

TEMPLATE = Template("""\
$head
upstream $name {
    # nginx's own numbers: after 1 refused connection or late answer an instance gets no request for $pause s.
$servers    # Connections that are kept, so that not each request opens one.
    keepalive 16;
}

server {
    listen $port;

    location / {
        proxy_pass http://$name;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $$host;
        proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $$scheme;
        # Without http_503: nginx would send a request that the app itself has refused to each instance.
        proxy_next_upstream error timeout;
        # An instance in the same network accepts at once, or not at all.
        proxy_connect_timeout 2s;
        # The longest request (--longest-request).
        proxy_read_timeout $longest;
    }
}
""")


def render(app: AppFacts, options: Options) -> str:
    """Return the file."""
    servers = (f"    server {at(*each)} max_fails=1 fail_timeout={FAIL_TIMEOUT}s;\n" for each in options.instances)
    return TEMPLATE.substitute(
        head=head("nginx", app, options, REMARKS),
        name=app.name,
        pause=FAIL_TIMEOUT,
        servers="".join(servers),
        port=options.balancer_port,
        longest=f"{1000 * options.longest_request:.0f}ms",
    )
