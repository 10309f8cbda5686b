package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The import table of docs/architecture.md: what a package's code may import of ours. Imports point down only. Tests may import more;
// the one exception is guarded below. Widen the table on purpose, and docs/architecture.md with it.
const anything = "*"

var mayImport = map[string][]string{
	"cmd/kefu":                       {anything},
	"web":                            {"handlers", "desk", "models", "live", "static"},
	"handlers":                       {"views", "desk", "live", "platform", "media", "models", "static"},
	"views":                          {"static", "models"}, // of models only the typed states
	"views/sim":                      {"static", "static/sim"},
	"static":                         {},
	"static/sim":                     {},
	"models":                         {},
	"models/modelstest":              {"models"},
	"internal/clock":                 {},
	"internal/texts":                 {},
	"internal/desk":                  {"models", "platform", "live"},
	"internal/delivery":              {"desk", "models", "platform"},
	"internal/live":                  {},
	"internal/seal":                  {},
	"internal/media":                 {"models", "platform"},
	"internal/platform":              {},
	"internal/platform/wechat":       {"platform"},
	"internal/platform/dingtalk":     {"platform"},
	"internal/platform/platformtest": {"platform"},
	"internal/platform/sim":          {"platform", "static", "static/sim", "views/sim"}, // never an adapter: a shared misreading would cancel out
	"internal/load":                  {"sim"},
	"internal/e2e":                   {anything},
}

// Everybody may import the two leaves; they themselves import each other at most.
var leaves = []string{"internal/texts", "internal/clock"}

// short names the packages as the table does.
var short = map[string]string{
	"desk": "internal/desk", "live": "internal/live", "media": "internal/media", "platform": "internal/platform",
	"sim": "internal/platform/sim",
}

// A technology lives in one place: who may import it. A prefix that ends in "/" covers all below it.
var onlyIn = []struct {
	module string
	who    []string
	why    string
}{
	{"gorm.io/", []string{"models"}, "only models knows GORM"},
	{"github.com/labstack/echo/", []string{"web", "handlers"}, "only web and handlers know Echo"},
	{"github.com/a-h/templ/runtime", []string{"views", "views/sim"}, "only views write HTML"},
	{"github.com/a-h/templ", []string{"views", "views/sim", "handlers", "internal/platform/sim"}, "handlers may pass a templ.Component on, no more"},
	{"github.com/chromedp/", []string{"internal/e2e"}, "a browser is for tests"},
	{"testing", []string{"models/modelstest", "internal/platform/platformtest", "internal/e2e"}, "test helpers stay out of the binary"},
}

var adapters = []string{"internal/platform/wechat", "internal/platform/dingtalk"}

// file is what one Go file imports. Build constraints play no part: a file for another system obeys the same table.
type file struct {
	pkg     string // folder, relative to the module
	name    string
	imports []string
}

func (f file) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

func TestImportsPointDown(t *testing.T) {
	root := moduleRoot(t)
	files, err := goFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 5 {
		t.Fatalf("only %d Go files found below %s: the test looks in the wrong place", len(files), root)
	}
	for _, wrong := range breaches("kefu", files) {
		t.Error(wrong)
	}
}

// The table is worth what the check finds: each kind of breach must be seen, and what is allowed must pass.
func TestImportsCheckSeesEachBreach(t *testing.T) {
	tests := []struct {
		name string
		file file
		want string // part of the sentence; empty = allowed
	}{
		{"down is allowed", file{"web", "a.go", []string{"kefu/handlers", "net/http", "github.com/labstack/echo/v4"}}, ""},
		{"leaves are open to all", file{"models", "a.go", []string{"kefu/internal/clock", "kefu/internal/texts", "gorm.io/gorm"}}, ""},
		{"wiring may import everything of ours", file{"cmd/kefu", "a.go", []string{"kefu/models", "kefu/internal/platform/wechat"}}, ""},
		{"a test may look upwards", file{"models", "a_test.go", []string{"kefu/models/modelstest", "testing"}}, ""},
		{"an adapter is tested against the simulator", file{"internal/platform/wechat", "a_test.go", []string{"kefu/internal/platform/sim"}}, ""},
		{"upwards", file{"models", "a.go", []string{"kefu/internal/desk"}}, "models must not import internal/desk"},
		{"sideways", file{"internal/live", "a.go", []string{"kefu/models"}}, "internal/live must not import models"},
		{"a page asks the desk", file{"views", "a.go", []string{"kefu/internal/desk"}}, "views must not import internal/desk"},
		{"the simulator uses an adapter", file{"internal/platform/sim", "a.go", []string{"kefu/internal/platform/wechat"}}, "never an adapter"},
		{"even in its tests", file{"internal/platform/sim", "a_test.go", []string{"kefu/internal/platform/dingtalk"}}, "never an adapter"},
		{"gorm outside models", file{"internal/desk", "a.go", []string{"gorm.io/gorm"}}, "only models knows GORM"},
		{"gorm in the test helpers", file{"models/modelstest", "a.go", []string{"gorm.io/driver/postgres"}}, "only models knows GORM"},
		{"even the wiring knows no Echo", file{"cmd/kefu", "a.go", []string{"github.com/labstack/echo/v4"}}, "only web and handlers know Echo"},
		{"a handler writes HTML", file{"handlers", "a.go", []string{"github.com/a-h/templ/runtime"}}, "only views write HTML"},
		{"a handler passes a component on", file{"handlers", "a.go", []string{"github.com/a-h/templ"}}, ""},
		{"a package without a row", file{"internal/util", "a.go", nil}, "has no row in the import table"},
		{"test helpers in the product", file{"internal/desk", "a.go", []string{"testing"}}, "test helpers stay out of the binary"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(breaches("kefu", []file{tt.file}), "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("breaches = %q, want %q", got, tt.want)
			}
		})
	}
}

// breaches lists, in sentences, what the files import against the table.
func breaches(module string, files []file) []string {
	var wrong []string
	noRow := map[string]bool{}
	for _, f := range files {
		row, known := mayImport[f.pkg]
		if !known {
			noRow[f.pkg] = true
			continue
		}
		for _, imported := range f.imports {
			at := path.Join(f.pkg, f.name)
			ours, isOurs := strings.CutPrefix(imported, module+"/")
			switch {
			case isOurs && f.pkg == "internal/platform/sim" && slices.Contains(adapters, ours):
				wrong = append(wrong, fmt.Sprintf("%s: the simulator imports %s; never an adapter, not even in its tests: a misreading of both would cancel out", at, ours))
			case f.isTest(): // may look everywhere else
			case isOurs && !allowed(row, ours):
				wrong = append(wrong, fmt.Sprintf("%s: %s must not import %s (import table in cmd/kefu/imports_test.go and docs/architecture.md)", at, f.pkg, ours))
			case !isOurs:
				if why := foreign(f.pkg, imported); why != "" {
					wrong = append(wrong, fmt.Sprintf("%s: %s imports %s: %s", at, f.pkg, imported, why))
				}
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(noRow)) {
		wrong = append(wrong, fmt.Sprintf("package %s has no row in the import table: add it to mayImport in cmd/kefu/imports_test.go and to docs/architecture.md, saying what it may import", pkg))
	}
	return wrong
}

func allowed(row []string, ours string) bool {
	if slices.Contains(leaves, ours) {
		return true
	}
	return slices.ContainsFunc(row, func(may string) bool {
		if full, ok := short[may]; ok {
			may = full
		}
		return may == anything || may == ours
	})
}

// foreign says why pkg may not import the module of another, or "".
func foreign(pkg, imported string) string {
	for _, rule := range onlyIn {
		matches := imported == rule.module || strings.HasSuffix(rule.module, "/") && strings.HasPrefix(imported, rule.module)
		if matches && !slices.Contains(rule.who, pkg) {
			return rule.why
		}
	}
	return ""
}

// goFiles reads the imports of every Go file of the module.
func goFiles(root string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != root && (base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return filepath.SkipDir
			}
			if name == filepath.Join(root, "vendor") {
				return fmt.Errorf("%s: modules are pinned in go.sum, not copied into the tree", name)
			}
			return nil
		}
		if filepath.Ext(base) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		f := file{pkg: filepath.ToSlash(pkg), name: base}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// moduleRoot is the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return root
}
