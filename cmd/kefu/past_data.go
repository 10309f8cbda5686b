package main

import "kefu/internal/platform"

// pastCustomer is a customer of the sample chats.
type pastCustomer struct {
	openID       string
	remark, name string // as models.Customer has them; some are known by neither
}

var (
	wangMan   = pastCustomer{openID: "oQhJ66W-KbsDE3kGZoD9iPCFdcER", remark: "王蔓 · 朝阳"}
	laoGuo    = pastCustomer{openID: "oQhJ66FmdD3nHQrroDnobDQCm5Lz", remark: "老郭"}
	leoZhang  = pastCustomer{openID: "oQhJ66JUcKkHnVm3uMGonrNZGmwE", remark: "Leo Zhang", name: "Leo"}
	taozi     = pastCustomer{openID: "oQhJ66nDqPhukd0Wfo_fZVR1Mv0R", remark: "桃子汽水"}
	aMay      = pastCustomer{openID: "oQhJ66FnVjh7XxeUpEHicLzXKhcv", remark: "阿May"}
	jiang     = pastCustomer{openID: "oQhJ66CtEzmn173WXvYpho2fE4Fx", remark: "蒋工 · 设计师", name: "蒋立群"}
	sunJie    = pastCustomer{openID: "oQhJ66TgvtEDxvVsnu3eUwa7tYBk", remark: "山月民宿 · 孙姐"}
	hannah    = pastCustomer{openID: "oQhJ66fYLqHhDP0UJyRbb96hFLeb", name: "Hannah"}
	xuJing    = pastCustomer{openID: "oQhJ66mT7J3d6mTwcYu7aQKFMKQt", name: "许静"}
	mattress  = pastCustomer{openID: "oQhJ66QAh4oMSUAKckZqnWJv5iRe"}
	returning = pastCustomer{openID: "oQhJ66qsuyDf8606u2mbbbbGgrTw"}
	wardrobe  = pastCustomer{openID: "oQhJ66DNEPeLHXpDGAnKkGZqBE6n"}
	invoice   = pastCustomer{openID: "oQhJ66PqaKrSYpZgHH5hfggVFKGy"}
	bookshelf = pastCustomer{openID: "oQhJ66XySg4vLjBPJZKvk9BzjVh3"}
)

// pastCustomers are all of them, in the order of the phone page.
var pastCustomers = []pastCustomer{
	wangMan, laoGuo, leoZhang, taozi, aMay, jiang, sunJie, hannah, xuJing, mattress, returning, wardrobe, invoice, bookshelf,
}

// Groups of the sample chats; with one group it serves both.
var preSales, afterSales = demoGroups[0], demoGroups[1]

// pastChat is one session from the first message to the end.
type pastChat struct {
	customer pastCustomer
	day      int    // whole days of the past, from 1
	at       string // time of day in the demonstration's zone
	group    string
	steps    []pastStep
}

// pastChats are the sample chats in the order in which they began. No chat reaches past the last whole day.
var pastChats = []pastChat{
	{wangMan, 1, "10:12", preSales, []pastStep{
		says(0, "你好，云栖三人位沙发现在有活动吗"),
		assigned(0, "zhou"),
		replies(31, "您好，我是一帆。云栖三人位这周减 400 元，到手 3,599 元，再送两个同色抱枕。"),
		says(24, "浅灰和燕麦色哪个耐脏一点？家里有猫"),
		replies(52, "有猫推荐燕麦色。两个颜色都是猫抓布，燕麦色不显毛，坐垫套还能拆下来机洗。"),
		says(18, "能寄块布样看看吗"),
		replies(27, "可以，免费寄两块。麻烦发一下收件地址。"),
		sends(66, platform.Location{Lat: 39.923719, Lng: 116.514342, Scale: 16, Label: "北京市朝阳区青年路 18 号院"}),
		replies(35, "收到，今天下午寄出，后天到。您先摸摸料子，不着急定。"),
		notes(20, "浅灰、燕麦布样各一块已登记，三天后回访。"),
		closes(64),
	}},
	{laoGuo, 1, "15:40", afterSales, []pastStep{
		clicks(0, "after_sales"),
		says(14, "餐桌有条腿晃，螺丝拧紧了还是晃"),
		queues(0),
		claimed(48, "he"),
		replies(22, "郭先生您好，我是小彤。麻烦拍一张桌腿和桌面连接处的照片，我看看是哪种连接件。"),
		sends(71, platform.Image{MediaID: "qh_sample_table_leg"}),
		replies(40, "看到了，少了一片垫圈，所以拧到底也压不实。我补寄一包垫圈，您自己就能装。"),
		says(33, "那得等几天？孩子老撑着桌子，我怕塌了"),
		replies(29, "发顺丰，明天下午能到。这条腿先别受力，装好后晃一晃，不稳就安排师傅上门。"),
		says(41, "行"),
		closes(90),
	}},
	{mattress, 1, "19:26", preSales, []pastStep{
		says(0, "床垫能试睡吗，不合适给退不"),
		assigned(0, "zhou"),
		replies(26, "您好，眠山系列试睡 100 天，不合适可以退，上门取件的运费我们出，拆封也不影响。"),
		says(58, "好嘞，我和家里人商量下"),
		closes(130),
	}},

	{leoZhang, 2, "11:05", preSales, []pastStep{
		says(0, "Hi! Does the Lumen floor lamp come with a dimmer? And can you deliver to Pudong within three days?"),
		queues(0),
		claimed(36, "lin"),
		replies(44, "Hi Leo, yes: a foot dimmer with three steps, bulb included. From our Kunshan warehouse to Pudong it takes two days."),
		says(37, "Great. Is the brass finish real brass or coated steel?"),
		replies(61, "Coated steel, to be honest. The solid brass one is the Lumen S, 1,280 yuan instead of 760."),
		says(49, "Appreciate the honesty. I'll take the coated one."),
		replies(30, "Good choice. Order it under 商城 in our menu, it ships this afternoon."),
		closes(75),
	}},
	{taozi, 2, "14:18", afterSales, []pastStep{
		says(0, "在吗在吗"),
		assigned(0, "he"),
		replies(19, "在的，您请说。"),
		sends(23, platform.Voice{MediaID: "qh_sample_voice", Format: "amr", Recognition: "抽屉右边的滑轨是不是装反了呀，推到一半就卡住，左边倒是好的"}),
		replies(46, "听着像是左右滑轨装对调了。滑轨尾部有个 L 或 R 的钢印，您看一下右边那根写的是什么？"),
		says(150, "写的 L！师傅给装反了"),
		replies(34, "抱歉，是安装的失误。我约师傅明天上午 10 点上门调整，不收费，您看方便吗？"),
		says(25, "可以～十点我在家"),
		notes(40, "安装队刘师傅，明天 10:00 上门对调滑轨，免费。质检那边已反馈。"),
		closes(52),
	}},
	{returning, 2, "20:03", preSales, []pastStep{
		says(0, "说好今天送货，等了一天没人联系我"),
		queues(0),
		claimed(95, "zhou"),
		replies(38, "很抱歉让您白等一天，我马上查。请问订单留的手机号后四位是多少？"),
		says(21, "3308，你们每次都是马上查"),
		replies(84, "查到了：货车下午在昌平坏在路上，改到明早 9 点第一家送您，我让司机提前一小时打电话。"),
		unfollows(47),
	}},

	{aMay, 3, "10:47", preSales, []pastStep{
		says(0, "刷到你们这篇，好心动"),
		assigned(0, "he"),
		sends(8, platform.Link{Title: "客厅不放茶几，到底香不香？", Description: "三个真实的家，和一张会跑的边几", URL: "https://qinghe.example/stories/no-coffee-table"}),
		replies(33, "哈哈，文章里的是跑跑边几，带万向轮，可以推到沙发扶手上方用。现货，289 元。"),
		says(27, "我家沙发底下只有 6 公分能塞进去吗"),
		replies(41, "可以，底座高 4.5 厘米，加上轮子正好 5.6 厘米，有一点余量。"),
		says(16, "那我下单啦，要胡桃色"),
		replies(22, "好的，胡桃色今天能发，祝您用得开心。"),
		closes(48),
	}},
	{jiang, 3, "16:30", preSales, []pastStep{
		says(0, "我这边有个 86 平的样板间，想用你们的软装，设计师有折扣吗"),
		assigned(0, "zhou"),
		replies(45, "蒋工您好，设计师渠道一般 8 折起，按清单报价。方便发一下清单和数量吗？"),
		says(92, "沙发 1、餐桌 1、餐椅 6、床 2、床头柜 4，都要原木色。出了报价直接发我就行"),
		notes(60, "报价要林主管批，已发给她。"),
		refused(50*60*60+20*60, "蒋工，报价批下来了：整单 21,460 元，含送货和安装，15 天内有效。"),
		notes(80, "微信的回复窗口过了，报价改用短信发，已电话告知。"),
		closes(35),
	}},
	{wardrobe, 3, "21:15", afterSales, []pastStep{
		says(0, "衣柜门关不严，中间留一条缝"),
		queues(0),
		assigned(31, "he"),
		replies(28, "您好，多半是铰链要调。门板内侧的铰链上有前后两颗螺丝，把靠外那颗顺时针拧半圈试试。"),
		says(240, "还真行！两边齐了"),
		replies(24, "太好了。以后季节变化再有缝，用同样的办法调就可以。"),
		closes(66),
	}},

	{sunJie, 4, "09:38", preSales, []pastStep{
		clicks(0, "pre_sales"),
		says(21, "你好，我们民宿要换 12 间房的床和床头柜，想问问批量价"),
		queues(0),
		claimed(57, "lin"),
		replies(30, "孙姐您好，我是小珊，负责批量订单。12 间都要 1.8 米的床吗？交货时间有要求吗？"),
		says(48, "8 间 1.8，4 间双床 1.2 的。下个月中旬要摆好"),
		replies(77, "来得及。床 16 张、床头柜 24 个，打 7.6 折，送货上楼、安装和旧床清运都包。"),
		says(39, "旧床也帮拉走？那太好了，先出个合同我看看"),
		replies(26, "好的，合同下午发您邮箱，您看过后我们再约量房。"),
		notes(45, "量房约在下周，带 1.2 米床的样角。合同模板用民宿版。"),
		closes(30),
	}},
	{hannah, 4, "13:22", afterSales, []pastStep{
		says(0, "Hello, this is Hannah. My bookshelf arrived, but the bag of screws is missing."),
		assigned(0, "he"),
		replies(39, "Hello Hannah, sorry about that. Which model is it? The label is on the side of the box."),
		says(102, "It says QH-BS-5, walnut."),
		replies(36, "Thank you. A new bag of screws goes out today and arrives tomorrow. Please check the back panel, too: it is often stuck in the lid."),
		says(88, "Found the panel in the lid, you're right!"),
		replies(27, "Glad to hear that. Write to us again if anything else is missing."),
		closes(70),
	}},
	{laoGuo, 4, "17:05", afterSales, []pastStep{
		says(0, "垫圈收到装上了，这回稳了"),
		assigned(0, "he"),
		replies(25, "太好了郭先生，过两周再拧紧一次螺丝，之后就不用管了。"),
		says(32, "记住了，小彤姑娘服务不错"),
		replies(18, "谢谢您的夸奖，用着有问题随时找我们。"),
		closes(58),
	}},

	{wangMan, 5, "10:30", preSales, []pastStep{
		says(0, "布样收到了，摸着挺厚实，就要燕麦色"),
		assigned(0, "zhou"),
		replies(28, "好的王女士。三人位带脚踏还是不带？带脚踏多 380 元，可以左右换。"),
		says(36, "带。电梯有点小，能上得来吗"),
		replies(43, "沙发是分体的，最长一件 1.62 米。您家电梯门内高有 2 米就没问题。"),
		says(55, "那够了。送货前一天通知我就行"),
		replies(31, "已备注“提前一天电话”。大约七天到货，送货师傅会帮您装好并带走包装。"),
		closes(83),
	}},
	{invoice, 5, "15:12", afterSales, []pastStep{
		says(0, "发票抬头开错了，少了“有限”两个字"),
		queues(0),
		assigned(27, "he"),
		replies(33, "您好，可以重开。请发一下完整的抬头和税号，原来那张我们作废。"),
		says(64, "杭州木岚文化创意有限公司，91330106MA2KX8J52Q"),
		unheard(41, "收到，重开的电子发票两个小时内发到您下单时留的邮箱。"),
		notes(20, "上一条没有收到微信的答复，不确定客户看到没有，发票开好再打个电话。"),
		closes(95),
	}},

	{returning, 6, "12:40", afterSales, []pastStep{
		follows(0),
		says(32, "前几天的话说重了。货到了，司机师傅还帮我抬上五楼"),
		assigned(0, "zhou"),
		replies(29, "您别这么说，是我们让您等了一天。家具都完好吗？"),
		says(44, "都好，就是包装箱太多，能来收吗"),
		replies(35, "可以，明天下午师傅路过您那边，顺路带走，不收费。"),
		says(28, "那我放楼道口"),
		closes(40),
	}},
	{xuJing, 6, "18:20", afterSales, []pastStep{
		says(0, "办公椅升上去坐一会儿就自己往下掉，买了不到半年"),
		assigned(0, "lin"),
		replies(42, "许女士您好，这是气压棒漏气，三年内免费换。您方便自己换，还是师傅上门？"),
		says(51, "自己换难吗？我一个人在家"),
		replies(37, "要用橡皮锤敲底座，一个人不太好弄，还是师傅上门吧。明晚 7 点以后可以吗？"),
		says(30, "可以，到了打我电话"),
		notes(22, "气压棒 4 级，100 毫米行程，师傅带两根备用。"),
		closes(49),
	}},

	{taozi, 7, "11:16", afterSales, []pastStep{
		says(0, "师傅前几天来过了，抽屉现在超顺滑～给你们好评"),
		assigned(0, "he"),
		replies(21, "谢谢桃子～我把好评转给刘师傅，他会很开心。"),
		says(26, "顺便问下同款床头柜还有白色吗"),
		replies(45, "白色有现货，老客户减 30 元，到手 369 元。"),
		says(33, "等发工资来买哈哈"),
		closes(57),
	}},
	{bookshelf, 7, "20:45", preSales, []pastStep{
		says(0, "儿童书架最下面一层能放绘本吗，绘本 30 公分高"),
		queues(0),
		claimed(74, "zhou"),
		replies(26, "您好，最下面一层高 34 厘米，放 30 厘米的绘本没问题。上面几层的隔板也可以调。"),
		says(38, "边角是圆的吧？孩子两岁，老往上爬"),
		replies(40, "边角都是圆的。两岁的孩子会爬，请一定装上随箱的防倒固定件，墙上打两个孔就行。"),
		says(19, "不会打孔"),
		replies(25, "下单时勾选“上门安装”，师傅会一起固定好，30 元。"),
		closes(81),
	}},

	{aMay, 8, "10:08", preSales, []pastStep{
		says(0, "边几到啦，比照片还好看！闺蜜也想要，有推荐码吗"),
		assigned(0, "he"),
		replies(30, "喜欢就好。会员中心里有您的专属邀请码，朋友下单立减 20 元，您得 200 积分。"),
		says(42, "找到了，积分能换啥"),
		replies(34, "500 积分可以换桌面收纳盒，1,000 积分换一盏小夜灯。"),
		closes(62),
	}},
	{mattress, 8, "14:50", preSales, []pastStep{
		says(0, "商量好了，要眠山 1.8 的，硬一点那款"),
		assigned(0, "zhou"),
		replies(24, "好的，眠山硬款 1.8×2 米，2,680 元，今天拍下后天送到。旧床垫需要帮忙带走吗？"),
		says(35, "要的，家里放不下"),
		replies(29, "已经备注好旧床垫回收。送到先别急着铺床单，通风半天再睡。"),
		says(17, "明白，谢谢提醒"),
		closes(44),
	}},
	{wangMan, 8, "19:12", afterSales, []pastStep{
		says(0, "沙发还没到，物流停在天津两天没动了"),
		queues(0),
		claimed(62, "lin"),
		replies(36, "王女士您好，我问过物流：天津下雨封了高速，今晚恢复发车，最晚后天到您家。"),
		says(40, "行，只要别上午来，我上午不在家"),
		replies(28, "明白，我和司机说好，只在下午 2 点以后送。"),
		notes(24, "承诺：最晚后天，只在下午送。明天中午再查一次物流。"),
		closes(55),
	}},
}
