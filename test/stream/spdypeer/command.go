package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"k8s.io/streaming/pkg/httpstream"
)

// Sent each way by the scenario `bulk`.
const bulkBytes = 100_000_000

const (
	success = `{"metadata":{},"status":"Success"}`
	exit7   = `{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: 7",` +
		`"reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}`
)

// serveCommand is the kubelet's side of an exec with stdin, stdout and stderr.
func serveCommand(conn net.Conn, session httpstream.Connection, opened <-chan httpstream.Stream, scenario string) {
	streams := map[string]httpstream.Stream{}
	for len(streams) < 4 {
		stream := <-opened
		streams[stream.Headers().Get("streamType")] = stream
	}
	stdin, stdout, stderr := streams["stdin"], streams["stdout"], streams["stderr"]
	status := success
	switch scenario {
	case "cat":
		io.Copy(stdout, stdin)
	case "exit-closing", "exit-waiting":
		stdout.Write(bytes.Repeat([]byte("out\n"), 100_000))
		io.WriteString(stderr, "failed")
		status = exit7
	case "bulk":
		received := make(chan string)
		go func() { received <- digest(stdin) }()
		pattern(stdout, bulkBytes)
		io.WriteString(stderr, <-received)
	case "vanish":
		io.WriteString(stdout, "half a resul")
		stdin.Read(make([]byte, 1))
		conn.Close()
		return
	}
	io.WriteString(streams["error"], status)
	if scenario == "exit-waiting" {
		// As the kubelet does since 1.37: it ends the streams, and the client closes the connection.
		stdin.Reset()
		for _, name := range []string{"stdout", "stderr", "error"} {
			streams[name].Close()
		}
		<-session.CloseChan()
	}
	session.Close()
}

type commandResult struct {
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	Error  string `json:"error"`
}

// dialCommand is kubectl's side, as in client-go's tools/remotecommand: it opens a stream, waits for the reply, opens
// the next; then it reads until stdout and stderr have ended, and then until the error stream has.
func dialCommand(session httpstream.Connection, scenario string) commandResult {
	defer session.Close()
	streams := map[string]httpstream.Stream{}
	for _, name := range []string{"error", "stdin", "stdout", "stderr"} {
		stream, err := session.CreateStream(http.Header{"streamType": []string{name}})
		fail(err)
		streams[name] = stream
	}
	message := make(chan string)
	go func() { message <- text(streams["error"]) }()
	go func() {
		switch scenario {
		case "cat":
			io.Copy(streams["stdin"], strings.NewReader(strings.Repeat("keys ", 2000)))
			streams["stdin"].Close()
		case "bulk":
			pattern(streams["stdin"], bulkBytes)
			streams["stdin"].Close()
		case "vanish":
			io.WriteString(streams["stdin"], "x")
		}
	}()
	var result commandResult
	var reading sync.WaitGroup
	reading.Go(func() {
		if scenario == "bulk" {
			result.Stdout = digest(streams["stdout"])
		} else {
			result.Stdout = text(streams["stdout"])
		}
	})
	reading.Go(func() { result.Stderr = text(streams["stderr"]) })
	reading.Wait()
	result.Error = <-message
	return result
}

func text(stream io.Reader) string {
	read, err := io.ReadAll(stream)
	fail(err)
	return string(read)
}

// pattern writes bytes that differ from one place to the next, 32 KiB at a time as io.Copy does.
func pattern(stream io.Writer, length int) {
	chunk := make([]byte, 32*1024)
	for written := 0; written < length; written += len(chunk) {
		chunk = chunk[:min(len(chunk), length-written)]
		for index := range chunk {
			chunk[index] = byte((written + index) % 251)
		}
		_, err := stream.Write(chunk)
		fail(err)
	}
}

// digest reads to the end: how many bytes, and their SHA-256.
func digest(stream io.Reader) string {
	hash := sha256.New()
	length, err := io.Copy(hash, stream)
	fail(err)
	return fmt.Sprintf("%d %s", length, hex.EncodeToString(hash.Sum(nil)))
}
