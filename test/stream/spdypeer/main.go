// A client and a server of SPDY on Kubernetes' own implementation (k8s.io/streaming over moby/spdystream), which open,
// answer and end their streams as kubectl and the kubelet do. The tests put the proxy's relays between the two.
//
//	spdypeer serve SCENARIO         prints the port it listens on, serves connections until its stdin ends
//	spdypeer dial PORT SCENARIO     prints what it saw as JSON
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// Of the client: kubectl pings each 5 s, the kubelet never does.
const pingPeriod = 20 * time.Millisecond

func main() {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		serve(os.Args[2])
	} else if len(os.Args) == 4 && os.Args[1] == "dial" {
		dial(os.Args[2], os.Args[3])
	} else {
		fail(fmt.Errorf("usage: spdypeer serve SCENARIO | dial PORT SCENARIO"))
	}
}

func serve(scenario string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			conn, err := listener.Accept()
			fail(err)
			go serveConnection(conn, scenario)
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

func serveConnection(conn net.Conn, scenario string) {
	streams := make(chan httpstream.Stream)
	session, err := spdy.NewServerConnection(conn, func(stream httpstream.Stream, _ <-chan struct{}) error {
		streams <- stream
		return nil
	})
	fail(err)
	if scenario == "portforward" {
		servePortForward(session, streams)
	} else {
		serveCommand(conn, session, streams, scenario)
	}
}

func dial(port, scenario string) {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	fail(err)
	var result any
	switch scenario {
	case "ping":
		result = dialPing(conn)
	case "portforward":
		result = dialPortForward(connect(conn))
	default:
		result = dialCommand(connect(conn), scenario)
	}
	fail(json.NewEncoder(os.Stdout).Encode(result))
}

func connect(conn net.Conn) httpstream.Connection {
	session, err := spdy.NewClientConnectionWithPings(conn, pingPeriod)
	fail(err)
	return session
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
