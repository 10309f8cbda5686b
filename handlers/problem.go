package handlers

import (
	"github.com/labstack/echo/v4"

	"kefu/internal/texts"
	"kefu/views"
)

// Problem answers what went wrong: a page of its own, or a toast for a script whose page goes on. said is the refusal's sentence; empty
// takes the usual words of the status. ref is what the log calls the request.
func Problem(c echo.Context, status int, said, ref string) error {
	l, in := LoginOf(c)
	p := views.ProblemProps{L: Lang(c), Status: status, Text: said, Ref: ref, Login: !in}
	if in {
		p.Theme = l.Viewer.Agent.Theme
	}
	component := views.Problem(p)
	if isHTMX(c) {
		if said == "" {
			said = texts.T(p.L, "problem.short", texts.Args{"ref": ref})
		}
		component = views.ToastOOB(p.L, views.ToastProps{ID: "toast-" + ref, Kind: "alert", Text: said})
	}
	return render(c, status, component)
}
