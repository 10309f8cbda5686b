package web

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"kefu/models"
	"kefu/models/modelstest"
)

// fill makes every write of the table fail as on a full disk, until the function it returns is called. It takes PostgreSQL: SQLite's
// triggers cannot fail with the error of a full disk.
func (o *office) fill(table string) (empty func()) {
	o.t.Helper()
	o.exec(`CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`)
	o.exec("CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON " + table + " FOR EACH ROW EXECUTE FUNCTION full_disk()")
	return func() {
		o.t.Helper()
		o.exec("DROP TRIGGER full_disk ON " + table)
	}
}

func TestFullDiskIsSaidEverywhere(t *testing.T) {
	o := openOffice(t, modelstest.PostgresURL(t))
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	s := o.served(zhou, "customer", "在吗")
	server, _ := o.listen()
	b := o.enter(zhou)
	live := b.stream(server, o.cursor())
	banner := func(e event) bool {
		found := answer{t: t, what: "event", body: e.data}.all("#storage-banner")
		return len(found) == 1
	}
	hidden := func(e event) bool { return len(answer{t: t, body: e.data}.all("#storage-banner[hidden]")) == 1 }
	first := live.until("the banner's first state", banner)
	if !hidden(first[len(first)-1]) {
		t.Error("the banner is shown while there is room")
	}
	b.get("/c").one("#storage-banner[hidden]")

	emptySettings, emptyMessages := o.fill("settings"), o.fill("messages")
	a := b.post(path(s.ID, "/messages"), "mode", "reply", "key", "k", "text", "您好").want(http.StatusServiceUnavailable)
	a.says("#problem", en("problem.disk_full"))
	b.htmx().post(path(s.ID, "/messages"), "mode", "reply", "key", "k", "text", "您好").want(http.StatusServiceUnavailable).says("[role=alert]", en("problem.disk_full"))
	told := live.until("the banner", banner)
	if hidden(told[len(told)-1]) {
		t.Error("open pages are not told that the disk is full")
	}
	for _, address := range []string{"/c", path(s.ID, ""), "/queue", "/me"} {
		b.get(address).want(http.StatusOK).says("#storage-banner[role=alert]:not([hidden])", en("page.storage.full"))
	}
	o.stranger().get("/readyz").want(http.StatusServiceUnavailable)
	o.stranger().get("/healthz").want(http.StatusOK)

	emptySettings()
	emptyMessages()
	ctx, stop := context.WithCancel(o.ctx)
	defer stop()
	var sweep sync.WaitGroup
	sweep.Go(func() { o.desk.Run(ctx) })
	told = live.until("the banner's end", banner)
	if !hidden(told[len(told)-1]) {
		t.Error("open pages are not told that there is room again")
	}
	stop()
	sweep.Wait()
	o.stranger().get("/readyz").want(http.StatusOK)
	b.get("/c").one("#storage-banner[hidden]")
	b.post(path(s.ID, "/messages"), "mode", "reply", "key", "k", "text", "您好").goesTo(path(s.ID, "")) // the form as it was
}

func TestFullDiskLetsAgentsRead(t *testing.T) {
	o := openOffice(t, modelstest.PostgresURL(t))
	zhou := o.hire("zhou", models.RoleAgent, o.sales)
	s := o.served(zhou, "customer", "在吗")
	b := o.enter(zhou)
	o.fill("agents")
	o.fill("logins")
	o.must(o.clock.Advance(o.ctx, 2*time.Minute)) // long enough that each request would note a sign of life
	for _, address := range []string{"/c", path(s.ID, ""), "/queue", "/me"} {
		b.get(address).want(http.StatusOK)
	}
	b.get("/c").says("#storage-banner[role=alert]:not([hidden])", en("page.storage.full"))
}
