package main

import (
	"net"
	"net/http"
	"time"

	"github.com/moby/spdystream"
)

type pingResult struct {
	Answered int `json:"answered"`
}

// dialPing pings on a connection that is idle, while the other side pings too.
func dialPing(conn net.Conn) pingResult {
	session, err := spdystream.NewConnection(conn, false)
	fail(err)
	go session.Serve(spdystream.NoOpStreamHandler)
	var result pingResult
	for range 10 {
		_, err := session.Ping()
		fail(err)
		result.Answered++
		time.Sleep(10 * time.Millisecond)
	}
	stream, err := session.CreateStream(http.Header{"streamType": []string{"error"}}, nil, false)
	fail(err)
	fail(stream.WaitTimeout(time.Second))
	fail(stream.Reset())
	fail(session.Close())
	return result
}
