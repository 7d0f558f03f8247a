package main

import (
	"fmt"
	"io"
	"math/rand"
	"reflect"
	"sort"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
)

func writeFilled(out io.Writer, seed int64) error {
	known := scheme.Scheme.AllKnownTypes()
	all := make([]schema.GroupVersionKind, 0, len(known))
	for gvk := range known {
		all = append(all, gvk)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].String() < all[j].String() })
	random := rand.New(rand.NewSource(seed))
	for _, gvk := range all {
		object := reflect.New(known[gvk]).Interface().(runtime.Object)
		isMeta := packageOf(nameOf(known[gvk])) == metaPackage
		if meta.IsListType(object) || (isMeta && gvk.Kind != "DeleteOptions") {
			continue
		}
		fill(random, reflect.ValueOf(object).Elem())
		object.GetObjectKind().SetGroupVersionKind(gvk)
		if err := writeBody(out, object); err != nil {
			return fmt.Errorf("%s: %w", gvk, err)
		}
	}
	return nil
}

var texts = []string{"", "a", "example.com/web", "null", "\u00e9\U0001f600", "\ufeffmark", "\"\\\n\u2028", "__proto__"}
var numbers = []int64{0, 1, -1, 8080, 1<<31 - 1, -1 << 31}
var largeNumbers = []int64{0, -1, 1 << 53, 1<<53 + 1, 1<<63 - 1, -1 << 63}
var moments = []time.Time{{}, time.Unix(0, 0), time.Unix(1_790_000_000, 123_456_789), time.Unix(-1, 999)}
var quantities = []string{"0", "100m", "1.5", "2Gi", "1e3", "-1", "1500m"}
var documents = []string{"null", "{}", `{"a": [1, "b", null]}`, `"text"`}

func pick[T any](random *rand.Rand, from []T) T {
	return from[random.Intn(len(from))]
}

// fill leaves about a third of what may be absent absent.
func fill(random *rand.Rand, value reflect.Value) {
	switch at := value.Addr().Interface().(type) {
	case *metav1.TypeMeta:
		return
	case *metav1.Time:
		*at = metav1.NewTime(pick(random, moments))
		return
	case *metav1.MicroTime:
		*at = metav1.NewMicroTime(pick(random, moments))
		return
	case *metav1.FieldsV1:
		at.Raw = []byte(pick(random, documents))
		return
	case *runtime.RawExtension:
		at.Raw = []byte(pick(random, documents))
		return
	case *resource.Quantity:
		*at = resource.MustParse(pick(random, quantities))
		return
	case *intstr.IntOrString:
		*at = pick(random, []intstr.IntOrString{intstr.FromInt32(-1), intstr.FromInt32(8080), intstr.FromString("25%")})
		return
	}
	isAbsent := random.Intn(3) == 0
	switch value.Kind() {
	case reflect.String:
		value.SetString(pick(random, texts))
	case reflect.Bool:
		value.SetBool(random.Intn(2) == 0)
	case reflect.Int32:
		value.SetInt(pick(random, numbers))
	case reflect.Int64:
		value.SetInt(pick(random, largeNumbers))
	case reflect.Pointer:
		if !isAbsent {
			value.Set(reflect.New(value.Type().Elem()))
			fill(random, value.Elem())
		}
	case reflect.Slice:
		if value.Type().Elem().Kind() == reflect.Uint8 {
			if !isAbsent {
				value.SetBytes([]byte(pick(random, texts) + "\xff")[:random.Intn(2)])
			}
			return
		}
		if !isAbsent {
			value.Set(reflect.MakeSlice(value.Type(), 1+random.Intn(2), 2))
			for i := range value.Len() {
				fill(random, value.Index(i))
			}
		}
	case reflect.Map:
		if !isAbsent {
			value.Set(reflect.MakeMap(value.Type()))
			for range 1 + random.Intn(2) {
				key, element := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
				fill(random, key)
				fill(random, element)
				value.SetMapIndex(key, element)
			}
		}
	case reflect.Struct:
		for i := range value.NumField() {
			fill(random, value.Field(i))
		}
	default:
		panic("type " + value.Type().String())
	}
}
