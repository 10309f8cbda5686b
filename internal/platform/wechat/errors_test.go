package wechat

import (
	"fmt"
	"net/http"
	"testing"

	"kefu/internal/platform"
)

// Each errcode that a send is documented to meet (wechat.md §5.6), with and without a face.
func TestClassesOfSends(t *testing.T) {
	t.Parallel()
	const same = platform.Class("")
	tests := []struct {
		codes        []int
		plain, faced platform.Class // faced: same as plain when empty
	}{
		{[]int{-1}, platform.BusyOnce, same},
		{[]int{45011}, platform.Busy, same},
		{[]int{45009}, platform.Quota, same},
		{[]int{45015, 45047}, platform.Window, same},
		{[]int{40007, 40008, 40033, 44002, 44004, 45002, 45008, 45050, 45098, 45162, 47001}, platform.BadContent, same},
		{[]int{40003, 43004, 43019, 48002, 50002, 70000}, platform.Customer, same},
		{[]int{40013, 40164, 40200, 48001, 48004, 65403, 65405, 65417}, platform.Rights, same},
		{[]int{65400, 65401, 65402, 65404, 61452}, platform.Rights, platform.FaceGone},
		{[]int{40001, 40014, 42001}, platform.Refresh, same},
		{[]int{1, 40066, 41001, 43002, 45157, 61450, 65399, 65418, 99999, -2}, platform.Failed, same},
	}
	for _, tt := range tests {
		for _, code := range tt.codes {
			t.Run(fmt.Sprint(code), func(t *testing.T) {
				t.Parallel()
				for _, face := range []string{"", "test1@kftest"} {
					want := tt.plain
					if face != "" && tt.faced != same {
						want = tt.faced
					}
					b := newBench(t, testConfig())
					b.fake.answers = func(int, request) (*http.Response, error) {
						return answer(200, fmt.Sprintf(`{"errcode":%d,"errmsg":"text of the platform"}`, code)), nil
					}
					wantClass(t, b.send(t.Context(), "hi", face), want, code)
				}
			})
		}
	}
}

func TestClassesOfTokenCalls(t *testing.T) {
	t.Parallel()
	tests := map[platform.Class][]int{
		platform.Busy:   {-1, 45011},
		platform.Quota:  {45009},
		platform.Rights: {40001, 40002, 40013, 40125, 40164, 40243, 41002, 41004, 43002, 48001, 50004, 50007, 89501, 89503, 89506, 89507},
		platform.Failed: {40003, 45015, 47001},
	}
	for want, codes := range tests {
		for _, code := range codes {
			if got := classOf(code, forToken); got != want {
				t.Errorf("%d: class %s, want %s", code, got, want)
			}
		}
	}
}
