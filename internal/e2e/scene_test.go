package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// staff is a colleague without a browser: they log in and post the same forms.
type staff struct {
	t    testing.TB
	desk string
	http *http.Client
}

func newStaff(d *demo, name string) staff {
	d.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	s := staff{d.t, d.desk, &http.Client{Jar: jar}}
	s.post("/login", "username", name, "password", demoPassword)
	return s
}

func (s staff) post(path string, fields ...string) {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.desk+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15")
	res, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()                                                                //nolint:errcheck // read to its end
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK { // after the redirect of a form that worked
		s.t.Fatalf("POST %s: %d %v\n%s", path, res.StatusCode, err, tail(string(body), 600))
	}
}

func (s staff) page(path string) string {
	s.t.Helper()
	res, err := s.http.Get(s.desk + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

var claimForm = regexp.MustCompile(`action="(/c/\d+)/claim"`)

// accept takes the first customer of the queue who is called so (their name begins with it) and returns the chat's path.
func (s staff) accept(name string) (chat string) {
	s.t.Helper()
	until(s.t, name+" waits", func() (bool, string) { // the lists follow the callback's answer in a moment
		page := s.page("/queue")
		for _, row := range strings.Split(page, "<tr") {
			if found := claimForm.FindStringSubmatch(row); found != nil && strings.Contains(row, ">"+name) {
				chat = found[1]
			}
		}
		return chat != "", tail(page, 300)
	})
	s.post(chat + "/claim")
	return chat
}

// answer sends a reply and waits until the thread shows what became of it.
func (s staff) answer(chat, text, state string) {
	s.t.Helper()
	s.post(chat+"/messages", "mode", "reply", "text", text)
	first, _, _ := strings.Cut(text, "\n")
	until(s.t, "the reply is "+state, func() (bool, string) {
		page := s.page(chat)
		for _, entry := range strings.Split(page, "<li ") {
			if strings.Contains(entry, first) && strings.Contains(entry, `data-state="`+state+`"`) {
				return true, ""
			}
		}
		return false, tail(page, 300)
	})
}

// scene is a desk in the middle of a day: chats in every state.
type scene struct {
	*demo
	chat    string // the one with everything in it
	failing string // one with a reply that failed
	doubt   string // one with a reply of which nobody knows
}

// regular is a customer of the demonstration's past, whom the desk knows by name.
func (d *demo) regular(name string) customer {
	d.t.Helper()
	var list struct {
		Users []struct {
			OpenID string `json:"openid"`
			Name   string `json:"name"`
		} `json:"users"`
	}
	d.sim.call("GET", "wechat/users", nil, &list)
	for _, u := range list.Users {
		if strings.HasPrefix(u.Name, name) {
			return customer{d.sim, u.OpenID}
		}
	}
	d.t.Fatalf("the demonstration has no customer %s among %v", name, list.Users)
	return customer{}
}

func newScene(t testing.TB) *scene {
	t.Helper()
	d := startDemo(t)
	s := &scene{demo: d}
	zhou, he, lin := newStaff(d, "zhou"), newStaff(d, "he"), newStaff(d, "lin")
	for _, agent := range []staff{zhou, he, lin} {
		agent.post("/me/presence", "presence", "break") // so that everything below goes where it should
	}

	wang := d.regular("王蔓")
	wang.says("你好，我上周买的三人位沙发，送货的时候能不能顺便把旧沙发抬下楼？")
	s.chat = zhou.accept("王蔓")
	wang.does("image", map[string]any{"file": picture})
	wang.says("就是这个，大概 1 米 8，在三楼，没有电梯。")
	d.sim.advance("40s")
	zhou.answer(s.chat, "王女士您好，可以的。师傅送货时能帮您抬到楼下的垃圾点，三楼没有电梯的话要加 60 元搬运费，您看可以吗？", "sent")
	d.sim.advance("70s")
	wang.does("voice", map[string]any{"text": "可以可以，那大概几点能到？我得先跟公司请个假。"})
	zhou.post(s.chat+"/messages", "mode", "note", "text", "客户三楼无电梯，已答应加 60 元搬旧沙发。请在送货单上备注，让师傅多带一个人。")
	d.sim.advance("50s")
	zhou.answer(s.chat, "明天上午 9 点到 12 点之间，师傅出发前半小时会给您打电话。\n地址还是这个吗：\n朝阳区百子湾路 16 号 4 号楼 2 单元 302", "sent")
	d.sim.advance("55s")
	wang.does("link", map[string]any{"title": "订单 20261120-0387 物流详情", "description": "三人位布艺沙发 · 云灰 · 预计明天送达", "url": "https://shop.example/orders/20261120-0387"})
	wang.says("对的，地址没变。")

	xu := d.regular("许静")
	xu.says("餐桌的发票能改成公司抬头吗？")
	s.failing = zhou.accept("许静")
	zhou.answer(s.failing, "可以的，请把公司名称和税号发给我。", "sent")
	d.sim.fault(map[string]any{"match": sendPath, "errcode": 45047})
	zhou.answer(s.failing, "另外提醒您：专用发票还需要开户行和账号。", "failed")

	peach := d.regular("桃子汽水")
	peach.says("我的退款怎么还没到账呀")
	s.doubt = zhou.accept("桃子汽水")
	d.sim.fault(map[string]any{"match": sendPath, "drop": "after"})
	zhou.answer(s.doubt, "退款今天上午已经提交，1 到 3 个工作日原路退回。", "unknown")

	leo := d.regular("Leo")
	leo.says("Hi, do you deliver to Tianjin? I need two of the oak bookshelves before Friday.")
	leoChat := zhou.accept("Leo")
	zhou.answer(leoChat, "Hi Leo, yes: delivery to Tianjin takes two days. If you order today, both arrive on Thursday.", "sent")

	for name, text := range map[string]string{
		"山月民宿": "12 张床垫的尾款，月底前付可以吗？", "蒋工": "样板间的尺寸图发我一份", "微信用户·5iRe": "颜色和图片差好多", "微信用户·grTw": "货放物业了吗",
		"微信用户·BE6n": "优惠券怎么用不了",
	} {
		d.regular(name).says(text)
		he.accept(name)
	}
	d.regular("老郭").says("安装师傅说要改水电，这个钱谁出？")
	d.sim.advance("80s")
	may := d.regular("阿May")
	may.says("床头柜少了一包螺丝，说明书上写有 12 颗，我只收到 8 颗")
	zhou.accept("阿May")
	d.sim.advance("60s")
	d.regular("Hannah").does("image", nil)
	d.sim.advance("35s")
	stranger := d.sim.customer("")
	stranger.does("follow", nil)
	stranger.says("你们周末营业吗")
	d.sim.advance("15s")
	for agent, presence := range map[staff]string{lin: "break", he: "online", zhou: "busy"} {
		agent.post("/me/presence", "presence", presence)
	}
	return s
}

// picture is a small PNG: a sofa, as far as sixteen pixels go.
const picture = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVR4nGNgGAWjYBSMglEwCgYCAAoIAAEi2kGsAAAAAElFTkSuQmCC"

func (s *scene) path(chat, part string) string { return s.desk + chat + part }
