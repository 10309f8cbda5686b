package sim

import (
	"strings"
	"testing"
)

const (
	keyA = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	keyE = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// The vectors are those of docs/protocols/wechat.md §7.4: published samples, not our own output.
var vectors = []struct {
	name, token, key, tail, timestamp, nonce, random, msg, sealed, signature, msgSignature string
}{
	{
		"B: safe mode, JSON (official)", "AAAAA", keyA, "wxba5fad812f8e6fb9", "1714112445", "415670741", "a8eedb185eb2fecf",
		`{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`,
		"+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=",
		"6c5c811b55cc85e0e1b54100749188c20beb3f5d", "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
	},
	{
		"C: reply to B (official)", "AAAAA", keyA, "wxba5fad812f8e6fb9", "1713424427", "415670741", "707722b803182950", `{"demo_resp":"good luck"}`,
		"ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
		"", "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
	},
	{
		"D: third-party platform, XML, pad 22 (official)", "AAAAA", keyA, "wx134c8103faa5a59e", "1715943329", "1590219412", "1205899eaf019bbd",
		"<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName>\n<FromUserName><![CDATA[o9AgO5Kd5ggOC-bXrbNODIiE3bGY]]></FromUserName>\n<CreateTime>1715943329</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[debug_demo]]></Event>\n<debug_str><![CDATA[hello world]]></debug_str>\n</xml>",
		"D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE//1vr7oAbqjDv8KenVp+ajKYpJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5DkyuzkhQN8OBqCzFhizGmy0xpM0MEA4agpvE+RuNO1rhHTtuJB5yltw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7Is6ookXIFxTfyeNyeHxMeT4KN5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCxgfoUlYEZPk4FUL/TK7ShriFDMVCLyjQJ15Ob++agDWtcxhfUfe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmdnX4zrF6kIaR9P4xQrWXbsTFHTYe0Mg==",
		"cc0c594499c1634947d5b502f158ee518947db27", "6c12a4205838198b8fa631b3220723bb07f1015c",
	},
	{
		"E: multi-byte text (WxJava)", "pamtest", keyE, "wxb11529c136998cb6", "1409304348", "xxxxxx", "aaaabbbbccccdddd", "我是中文abcd123",
		"jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==",
		"", "82c962d39941aa48552f90ef55aa323dc620cc10",
	},
	{
		"G: text message, XML", "simtoken", keyE, "wx0123456789abcdef", "1700000001", "998877", "0123456789abcdef",
		"<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oSimUser0001]]></FromUserName><CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好,请问怎么退货?]]></Content><MsgId>24000000000000001</MsgId></xml>",
		"Q3stYC6hdFzMh9T8HCvyDCZ7WOd3U4cBL73YIObrV8RNKVjRpUZx007nDMe/eoA1KQq1+1V6x7AscnUq3Z+y+nTgYfL8xVjKHq0soTtoRzd1pH6lzneGmwemuR47VYFw0y5EQS0Xyk2RbuKzNptsAftcNb+yU3CTVnDSVA5wg4Z4L3SZB2d6ZG62Ah9wPbaSIobcsEdmikYZSEa+5UNAvkucfDMBPxiCxOaaAGEPMAqyYW5GL+vHlcAPcckuKeifh2IPJblSYp+wgxtnfFXRy4r2OLhxiLM1tTtjpsJD9qHGpZ/zYURM5WmzwRI9a/hMy0xtszIPQebpUzGxUDh5idlwsRrpNx+9G3iP4aUHvIZc8mU0sYFH6p+0ROnoz1Oiyjv4KDlil2uzMtVLeVNlyPBvZX5AQJodIi4TA12bqos=",
		"6e594ba0f6fb40c2dd1a60611c6991abb2df14da", "21a0a54e7c4513be377033705ec5d108e1b55a8a",
	},
}

func TestCipherTextMatchesThePublishedVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			sealed, err := encrypt(v.key, []byte(v.random), []byte(v.msg), v.tail)
			if err != nil || sealed != v.sealed {
				t.Errorf("encrypt = %s, %v", sealed, err)
			}
			msg, tail, err := decrypt(v.key, v.sealed)
			if err != nil || string(msg) != v.msg || tail != v.tail {
				t.Errorf("decrypt = %q, tail %q, %v", msg, tail, err)
			}
			if got := sign(v.token, v.timestamp, v.nonce, v.sealed); got != v.msgSignature {
				t.Errorf("msg_signature = %s", got)
			}
			if got := sign(v.token, v.timestamp, v.nonce); v.signature != "" && got != v.signature {
				t.Errorf("signature = %s", got)
			}
		})
	}
}

func TestVerificationSignatureOfVectorA(t *testing.T) {
	t.Parallel()
	if got := sign("AAAAA", "1714036504", "1514711492"); got != "f464b24fc39322e44b38aa78f5edd27bd1441696" {
		t.Errorf("signature = %s", got)
	}
}

func TestPushBodyIsWrittenLikeTheSample(t *testing.T) {
	t.Parallel()
	fields := []field{
		textField("ToUserName", "gh_0123456789ab"), textField("FromUserName", "oSimUser0001"), numberField("CreateTime", "1700000000"),
		textField("MsgType", "text"), textField("Content", "你好,请问怎么退货?"), numberField("MsgId", "24000000000000001"),
	}
	if got := string(xmlBody(fields)); got != vectors[4].msg {
		t.Errorf("XML = %s", got)
	}
	if got := string(jsonBody(fields)); !strings.Contains(got, `"CreateTime":1700000000,"MsgType":"text","Content":"你好,请问怎么退货?","MsgId":24000000000000001`) {
		t.Errorf("JSON = %s", got)
	}
	var back passiveAnswer
	if read(formatXML, xmlBody([]field{textField("Content", "a]]>b<c>&d")}), &back); back.Content != "a]]>b<c>&d" {
		t.Errorf("a text with ]]> came back as %q", back.Content)
	}
}

func TestCipherRefusesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "AAAA", "not base64!", strings.Repeat("A", 64), vectors[0].sealed} {
		if msg, tail, err := decrypt(keyE, text); err == nil && tail == "wxb11529c136998cb6" {
			t.Errorf("%.10q opened as %q", text, msg)
		}
	}
	if _, err := decodeAESKey("short"); err == nil {
		t.Error("a short key was accepted")
	}
}
