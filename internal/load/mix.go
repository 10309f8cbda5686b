package load

import "math/rand/v2"

// The proportions of docs/architecture.md §9: of five messages one opens a session, four go on in open ones.
const (
	blockLength = 5
	// guardMin is how many of the oldest and of the newest open sessions get no further message, at least: one may be closing while a
	// message is on its way, the other may not be open yet. With more clients it is as many as there are clients.
	guardMin = 64
)

func (p Plan) guard() int { return max(guardMin, p.Clients) }

// step is one message.
type step struct {
	customer int
	opens    bool
	closes   int // the customer whose session is closed once this message was answered; -1 for nobody
}

// mix decides who writes next. Sessions are closed in the order in which they were opened, one for each that is opened, so that their
// number stays the same; a customer who was served comes back after all others.
type mix struct {
	random    *rand.Rand
	customers int
	guard     int
	next      int   // number of the next opening
	open      []int // customers with an open session, the oldest first
	block     int   // place in the present block of five
	opening   int   // place of its opening message
}

func newMix(p Plan) *mix {
	return &mix{random: rand.New(rand.NewPCG(p.Seed, 1)), customers: p.Customers, guard: p.guard()}
}

// fill opens a session without closing one: what happens before the measured part.
func (m *mix) fill() step {
	customer := m.next % m.customers
	m.next++
	m.open = append(m.open, customer)
	return step{customer: customer, opens: true, closes: -1}
}

// step is the next message of the measured part.
func (m *mix) step() step {
	if m.block == 0 {
		m.opening = m.random.IntN(blockLength)
	}
	opens := m.block == m.opening
	m.block = (m.block + 1) % blockLength
	if !opens {
		return step{customer: m.open[m.guard+m.random.IntN(len(m.open)-2*m.guard)], closes: -1}
	}
	s := m.fill()
	s.closes, m.open = m.open[0], m.open[1:]
	return s
}

// sentences are what customers write: about 70 bytes, as such messages are.
var sentences = []string{
	"你好，我上周买的书架少了两颗螺丝，请问可以补寄吗？",
	"订单已经付款三天了，怎么还没有发货？麻烦查一下",
	"沙发的颜色和图片差别很大，我想换成浅灰色的可以吗",
	"请问这款餐桌能不能送货上门并且负责安装？要加钱吗",
	"发票抬头写错了，能帮我重新开一张吗？公司名称稍后发您",
	"师傅说明天下午来安装，可是我明天不在家，能改到周六吗",
	"收到的灯罩有一道裂纹，我拍了照片，请帮忙处理一下谢谢",
	"会员积分什么时候到账？我在门店买的，当时说两天以内",
}
