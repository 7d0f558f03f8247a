"""A program of the Python client as an agent could be: every command does one thing with the cluster of $KUBECONFIG, in
the namespace of the first argument, and prints what it was given.
"""

import socket
import sys
import threading

from kubernetes import client, config, watch
from kubernetes.stream import portforward, stream


def say(*words):
    print(*words, flush=True)


def card_of(config_map):
    return (config_map.data or {}).get("card", "")


def list_config_maps(api, namespace):
    for each in api.list_namespaced_config_map(namespace).items:
        say(each.metadata.name, card_of(each))


def watch_config_maps(api, namespace):
    for event in watch.Watch().stream(api.list_namespaced_config_map, namespace):
        say(event["type"], event["object"].metadata.name, card_of(event["object"]))


def create(api, namespace, name):
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data={"made": "yes"})
    api.create_namespaced_config_map(namespace, body)


def patch(api, namespace, name):
    api.patch_namespaced_config_map(name, namespace, {"data": {"patched": "yes"}})


def logs(api, namespace, pod, container):
    say(api.read_namespaced_pod_log(pod, namespace, container=container))


def follow(api, namespace, pod, container):
    # Lines that come while it follows are what watch is for, whatever the resource.
    for line in watch.Watch().stream(api.read_namespaced_pod_log, pod, namespace, container=container):
        say(line)


def execute(api, namespace, protocol, pod, container, *command):
    session = open_stream(api.connect_get_namespaced_pod_exec, protocol, pod, namespace, container, command=[*command])
    relay(session)
    sys.exit(session.returncode)


def attach(api, namespace, protocol, pod, container):
    relay(open_stream(api.connect_get_namespaced_pod_attach, protocol, pod, namespace, container))


def open_stream(call, protocol, pod, namespace, container, **options):
    # Releases before 36 offer v4 alone.
    call.__self__.api_client.set_default_header("sec-websocket-protocol", f"{protocol}.channel.k8s.io")
    every = {"stdin": True, "stdout": True, "stderr": True, "tty": False}
    return stream(call, pod, namespace, container=container, _preload_content=False, **every, **options)


def relay(session):
    """Carries stdin, stdout and stderr until the stream ends."""

    def forward_input():
        for line in sys.stdin:
            session.write_stdin(line)
        session.close_channel(0)

    threading.Thread(target=forward_input, daemon=True).start()
    while session.is_open():
        session.update(timeout=1)
        for ready, read, to in (
            (session.peek_stdout, session.read_stdout, sys.stdout),
            (session.peek_stderr, session.read_stderr, sys.stderr),
        ):
            if ready():
                to.write(read())
                to.flush()


def forward(api, namespace, pod, port):
    """Says which local port it listens on, and carries each connection to a port of a pod."""
    listener = socket.create_server(("127.0.0.1", 0))
    say(f"Forwarding from 127.0.0.1:{listener.getsockname()[1]}")
    while True:
        near, _ = listener.accept()
        far = portforward(api.connect_get_namespaced_pod_portforward, pod, namespace, ports=port).socket(int(port))
        far.setblocking(True)
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=pump, args=(source, target), daemon=True).start()


def pump(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.close()


commands = {
    "list": list_config_maps,
    "watch": watch_config_maps,
    "create": create,
    "refusal": create,
    "patch": patch,
    "logs": logs,
    "follow": follow,
    "exec": execute,
    "input": execute,
    "attach": attach,
    "port-forward": forward,
}

if __name__ == "__main__":
    namespace, command, *arguments = sys.argv[1:]
    config.load_kube_config()
    commands[command](client.CoreV1Api(), namespace, *arguments)
