// Writes what the proxy has to know to read protobuf bodies of Kubernetes' built-in kinds, and proves it.
//
//	schema table             the table of messages and fields, as TypeScript
//	schema bodies < YAML     a line for each object: its protobuf, and the JSON of the same object
//	schema filled SEED       the same for objects of every kind, filled at random
//	schema decode < BASE64   for each line the JSON that Go reads from that protobuf, or null
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

var wire = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)

func main() {
	log.SetFlags(0)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	var err error
	switch command {
	case "table":
		err = writeTable(out)
	case "bodies":
		err = writeBodies(out, os.Stdin)
	case "filled":
		var seed int64
		if len(os.Args) > 2 {
			if seed, err = strconv.ParseInt(os.Args[2], 10, 64); err != nil {
				log.Fatal(err)
			}
		}
		err = writeFilled(out, seed)
	case "decode":
		err = writeDecoded(out, os.Stdin)
	default:
		log.Fatal("usage: schema table | bodies | filled SEED | decode")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// writeBody takes the JSON from what was decoded again, which is what an API server gets.
func writeBody(out io.Writer, object runtime.Object) error {
	var encoded bytes.Buffer
	if err := wire.Encode(object, &encoded); err != nil {
		return fmt.Errorf("encode %T: %w", object, err)
	}
	text, err := jsonOf(encoded.Bytes())
	if err != nil {
		return fmt.Errorf("decode %T: %w", object, err)
	}
	line, err := json.Marshal(map[string]any{"protobuf": encoded.Bytes(), "object": json.RawMessage(text)})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}

func jsonOf(body []byte) ([]byte, error) {
	object, _, err := wire.Decode(body, nil, nil)
	if err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

func writeBodies(out io.Writer, in io.Reader) error {
	all, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	for _, document := range bytes.Split(all, []byte("\n---\n")) {
		text, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return err
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
		if err != nil {
			return fmt.Errorf("%w in %s", err, text)
		}
		if err := writeBody(out, object); err != nil {
			return err
		}
	}
	return nil
}

func writeDecoded(out io.Writer, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		body, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			return err
		}
		text, err := jsonOf(body)
		if err != nil {
			text = []byte("null")
		}
		if _, err := fmt.Fprintf(out, "%s\n", text); err != nil {
			return err
		}
	}
	return lines.Err()
}
