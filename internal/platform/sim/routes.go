package sim

import (
	"net/http"
)

// routes puts together the platforms' paths, the controls and the page. Only the controls are guarded against other sites' pages: the
// platforms' paths are called by servers, with a token.
func (s *Simulator) routes() http.Handler {
	controls := http.NewServeMux()
	s.commonControls(controls)
	s.wechatControls(controls)
	s.page(controls)
	guarded := http.NewCrossOriginProtection().Handler(controls)

	mux := http.NewServeMux()
	mux.Handle("/_sim/", guarded)
	mux.Handle("/{$}", guarded)
	for _, family := range []string{"/cgi-bin/", "/customservice/"} {
		mux.HandleFunc(family, s.serveAPI)
	}
	return mux
}
