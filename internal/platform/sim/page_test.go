package sim

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestThePageNeedsNothingInline(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{})
	rec, _ := k.serve("GET", "/", "", "")
	html := rec.Body.String()
	if rec.Code != 200 || !strings.HasPrefix(rec.Header().Get("Content-Security-Policy"), "default-src 'self'") || !strings.Contains(html, `lang="zh-CN"`) {
		t.Fatalf("%d %v", rec.Code, rec.Header())
	}
	if bad := regexp.MustCompile(`<style|<script>|style="|\son\w+="`).FindString(html); bad != "" {
		t.Errorf("the page has %q, which its policy forbids", bad)
	}
	assets := regexp.MustCompile(`(?:href|src)="(/_sim/static/[^"#]+)`).FindAllStringSubmatch(html, -1)
	if len(assets) < 8 {
		t.Fatalf("only %d files", len(assets))
	}
	for _, m := range assets {
		if rec, _ := k.serve("GET", m[1], "", ""); rec.Code != 200 || rec.Body.Len() == 0 {
			t.Errorf("%s = %d", m[1], rec.Code)
		}
	}
	if rec, _ := k.serve("GET", "/nothing", "", ""); rec.Code != http.StatusNotFound {
		t.Errorf("an unknown page = %d", rec.Code)
	}
}

func TestThePageHearsWhatIsNew(t *testing.T) {
	t.Parallel()
	k := newKit(t, App{Name: "青禾家居", WeChatID: "qinghe"})
	k.api("POST", "/customservice/kfaccount/add", "", `{"kf_account":"yushan@qinghe","nickname":"小珊"}`)
	k.act(`"do":"text","text":"你好"`)
	k.send(`{"touser":"` + k.open + `","msgtype":"text","text":{"content":"您好"},"customservice":{"kf_account":"yushan@qinghe"}}`)
	k.control("POST", "/_sim/faults", `{"match":"callback","delay":"6s","name":"late","times":-1}`)
	first := k.control("GET", "/_sim/phone?v=-1&since=0", "")
	user := first["user"].(map[string]any)
	entries := first["entries"].([]any)
	if user["openid"] != k.open || user["relation"] != "following" || len(entries) != 2 || first["faults"].([]any)[0] != "late" {
		t.Fatalf("phone = %v", first)
	}
	mine, theirs := entries[0].(map[string]any), entries[1].(map[string]any)
	if mine["me"] != true || mine["state"] != outcomeTaken || theirs["nick"] != "小珊" {
		t.Errorf("entries = %v", entries)
	}
	if grants := user["grants"].([]any); grants[0].(map[string]any)["left"] != 4.0 {
		t.Errorf("grants = %v", grants)
	}
	same := k.control("GET", "/_sim/phone?v="+jsonNumber(first["v"])+"&since="+jsonNumber(first["last"]), "")
	if same["unchanged"] != true || same["entries"] != nil {
		t.Errorf("nothing is new: %v", same)
	}
	k.act(`"do":"unfollow","async":true`)
	more := k.control("GET", "/_sim/phone?v="+jsonNumber(first["v"])+"&since="+jsonNumber(first["last"])+"&openid="+k.open, "")
	if more["unchanged"] == true || len(more["entries"].([]any)) != 3 {
		t.Errorf("after an act: %v", more)
	}
}
