package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"k8s.io/streaming/pkg/httpstream"
)

const (
	forwardedConnections = 40
	forwardedBytes       = 1_000_000
	// Nothing listens there.
	closedPort = "81"
)

// servePortForward is the kubelet's side: what comes to port 80 is sent back.
func servePortForward(session httpstream.Connection, opened <-chan httpstream.Stream) {
	defer session.Close()
	pairs := map[string]map[string]httpstream.Stream{}
	for {
		select {
		case <-session.CloseChan():
			return
		case stream := <-opened:
			id := stream.Headers().Get("requestID")
			if pairs[id] == nil {
				pairs[id] = map[string]httpstream.Stream{}
			}
			pairs[id][stream.Headers().Get("streamType")] = stream
			if len(pairs[id]) == 2 {
				go echo(pairs[id]["data"], pairs[id]["error"])
				delete(pairs, id)
			}
		}
	}
}

func echo(data, message httpstream.Stream) {
	if data.Headers().Get("port") == closedPort {
		io.WriteString(message, "connection refused")
		data.Reset()
		message.Reset()
		return
	}
	io.Copy(data, data)
	data.Close()
	message.Close()
}

type portForwardResult struct {
	// Connections whose bytes all came back.
	Whole int `json:"whole"`
	// What the error stream of the closed port said.
	Refused string `json:"refused"`
	// Of the error streams of the other ones.
	Errors []string `json:"errors"`
}

// dialPortForward is kubectl's side, as in client-go's tools/portforward, with many connections at a time.
func dialPortForward(session httpstream.Connection) portForwardResult {
	defer session.Close()
	var result portForwardResult
	var lock sync.Mutex
	var running sync.WaitGroup
	for index := range forwardedConnections {
		running.Go(func() {
			data, message := openPair(session, fmt.Sprint(index), "80")
			go func() {
				if index%4 == 3 {
					// Given up in the middle.
					pattern(data, forwardedBytes/2)
					data.Reset()
					return
				}
				pattern(data, forwardedBytes)
				data.Close()
			}()
			received := digest(data)
			said := text(message)
			lock.Lock()
			defer lock.Unlock()
			if strings.HasPrefix(received, fmt.Sprint(forwardedBytes, " ")) {
				result.Whole++
			}
			if said != "" {
				result.Errors = append(result.Errors, said)
			}
			session.RemoveStreams(data, message)
		})
	}
	running.Wait()
	_, message := openPair(session, "refused", closedPort)
	result.Refused = text(message)
	return result
}

func openPair(session httpstream.Connection, id, port string) (data, message httpstream.Stream) {
	header := func(name string) http.Header {
		return http.Header{"streamType": []string{name}, "port": []string{port}, "requestID": []string{id}}
	}
	message, err := session.CreateStream(header("error"))
	fail(err)
	fail(message.Close())
	data, err = session.CreateStream(header("data"))
	fail(err)
	return data, message
}
