// Command gitops-health says what GitOps tools make of objects, by the libraries of those tools:
// kstatus and the evaluator of health check expressions as Flux has them, and a health script in
// the interpreter of Argo CD.
//
// It reads one JSON document from standard input and writes one to standard output. It must not
// know which answers are right: the tests do. The invariant that would break first: the script has
// no library that Argo CD does not give it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// How long Argo CD lets a script run.
const scriptTimeout = time.Second

type question struct {
	// Script is the health script of every object.
	Script string `json:"script"`
	// HealthCheckExprs is what a Flux Kustomization has in the field of this name.
	HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
	Objects          []json.RawMessage             `json:"objects"`
}

type answer struct {
	// Kstatus is what every tool with kstatus computes.
	Kstatus string `json:"kstatus"`
	// Flux is what Flux computes: by an expression if there is one for the kind, else Kstatus.
	Flux string `json:"flux"`
	Argo health `json:"argo"`
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gitops-health:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var asked question
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return fmt.Errorf("reading the question: %w", err)
	}
	newReader, err := cel.NewStatusReader(asked.HealthCheckExprs)
	if err != nil {
		return err
	}
	reader := newReader(nil)
	answers := make([]answer, 0, len(asked.Objects))
	for index, raw := range asked.Objects {
		// Numbers become int64 where they can, as a client of the API server has them.
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return fmt.Errorf("object %d: %w", index, err)
		}
		one, err := judge(asked.Script, reader, object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		answers = append(answers, one)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(answers)
}

func judge(script string, reader engine.StatusReader, object *unstructured.Unstructured) (answer, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return answer{}, fmt.Errorf("kstatus: %w", err)
	}
	one := answer{Kstatus: string(computed.Status), Flux: string(computed.Status)}
	if reader.Supports(object.GroupVersionKind().GroupKind()) {
		read, err := reader.ReadStatusForObject(context.Background(), nil, object)
		if err != nil {
			return answer{}, fmt.Errorf("health check expression: %w", err)
		}
		if read.Error != nil {
			return answer{}, fmt.Errorf("health check expression: %w", read.Error)
		}
		one.Flux = string(read.Status)
	}
	one.Argo, err = runScript(script, object.Object)
	if err != nil {
		return answer{}, fmt.Errorf("health script: %w", err)
	}
	return one, nil
}

// runScript runs a script as Argo CD does without useOpenLibs: with the packages, the base and the
// tables of Lua, and the object as the global obj.
func runScript(script string, object map[string]any) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		// The others register with the first.
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		open := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(open, lua.LString(library.name)); err != nil {
			return health{}, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return health{}, errors.New("it returned no table")
	}
	found := health{}
	for field, to := range map[string]*string{"status": &found.Status, "message": &found.Message} {
		text, ok := table.RawGetString(field).(lua.LString)
		if !ok {
			return health{}, fmt.Errorf("it returned no text as %s", field)
		}
		*to = string(text)
	}
	return found, nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		list := state.CreateTable(len(value), 0)
		for _, item := range value {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
