/* SPDX-License-Identifier: Apache-2.0 */
/* Templates and what comes out. The table "same" is what Go's text/template gives for them. */
#include "base/template.h"
#include "unit.h"

static const char data[] =
    "{\"s\": \"hello\", \"e\": \"\", \"u\": \"h\\u00e9llo w\\u00f6rld\", \"h\": \"<a "
    "href=\\\"x\\\">'&'</a>\", \"n\": 42, \"z\": 0, \"neg\": -7, \"f\": 1.5, \"big\": 1e+21, "
    "\"small\": 1e-05, \"t\": true, \"b\": false, \"nul\": null, \"l\": [\"a\", \"b\", \"c\"], "
    "\"el\": [], \"nums\": [3, 1, 2], \"mix\": [1, \"x\", null, 2.5, true, {\"k\": \"v\"}, "
    "[\"q\"]], \"m\": {\"b\": \"2\", \"a\": \"1\", \"c\": \"3\"}, \"em\": {}, \"nest\": {\"deep\": "
    "{\"er\": [{\"name\": \"n1\", \"v\": 1}, {\"name\": \"n2\", \"v\": 2}]}}, \"d.xy\": "
    "\"dotted\", \"sp\": \"a b,c d\", \"path\": \"x/y/z\", \"large\": 9007199254740993, \"ctl\": "
    "\"a\\tb\\nc\\\\d\"}";

struct pair {
	const char *text, *want;
};

static const struct pair same[] = {
	{ "{{.d.xy}}", "<no value>" },
	{ "{{index . \"d.xy\"}}", "dotted" },
	{ "{{3 | printf \"%d\"}}", "3" },
	{ "{{eq .nul nil}}", "true" },
	{ "{{eq .zz nil}}", "true" },
	{ "{{eq nil nil}}", "true" },
	{ "{{print nil}}", "<nil>" },
	{ "{{range $i, $e := .l}}{{$i}}={{$e}} {{end}}", "0=a 1=b 2=c " },
	{ "{{$x := 1}}{{range .nums}}{{$x = .}}{{end}}{{$x}}", "2" },
	{ "{{range .l}}{{if eq . \"b\"}}{{continue}}{{end}}{{.}}{{end}}", "ac" },
	{ "{{range .l}}{{if eq . \"b\"}}{{break}}{{end}}{{.}}{{end}}", "a" },
	{ "{{- 3}}", "3" },
	{ "{{-3}}", "-3" },
	{ "{{3 -}} x", "3x" },
	{ "{{(.nest.deep).er}}", "[map[name:n1 v:1] map[name:n2 v:2]]" },
	{ "{{(index .nest.deep.er 0).name}}", "n1" },
	{ "{{. }}", "map[b:false big:1e+21 ctl:a\tb\nc\\d d.xy:dotted e: el:[] em:map[] f:1.5 h:<a "
		    "href=\"x\">'&'</a> l:[a b c] large:9007199254740993 m:map[a:1 b:2 c:3] mix:[1 "
		    "x <nil> 2.5 true map[k:v] [q]] n:42 neg:-7 nest:map[deep:map[er:[map[name:n1 "
		    "v:1] map[name:n2 v:2]]]] nul:<nil> nums:[3 1 2] path:x/y/z s:hello "
		    "small:1e-05 sp:a b,c d t:true u:héllo wörld z:0]" },
	{ "{{$}}", "map[b:false big:1e+21 ctl:a\tb\nc\\d d.xy:dotted e: el:[] em:map[] f:1.5 h:<a "
		   "href=\"x\">'&'</a> l:[a b c] large:9007199254740993 m:map[a:1 b:2 c:3] mix:[1 "
		   "x <nil> 2.5 true map[k:v] [q]] n:42 neg:-7 nest:map[deep:map[er:[map[name:n1 "
		   "v:1] map[name:n2 v:2]]]] nul:<nil> nums:[3 1 2] path:x/y/z s:hello small:1e-05 "
		   "sp:a b,c d t:true u:héllo wörld z:0]" },
	{ "{{.s|len|printf \"%03d\"}}", "005" },
	{ "{{0x_1}}", "1" },
	{ "{{eq 1 2 1}}", "true" },
	{ "{{eq .l nil}}", "false" },
	{ "{{lt \"a\" \"b\"}}", "true" },
	{ "{{print 1 2 \"a\" 3 4 \"b\" \"c\" 5}}", "1 2a3 4bc5" },
	{ "{{println 1 \"a\" .l}}", "1 a [a b c]\n" },
	{ "{{.mix}}", "[1 x <nil> 2.5 true map[k:v] [q]]" },
	{ "{{json .mix}}", "[1,\"x\",null,2.5,true,{\"k\":\"v\"},[\"q\"]]" },
	{ "{{with .zz}}a{{else}}b{{end}}", "b" },
	{ "{{if and .t .n}}y{{end}}", "y" },
	{ "{{or .e .zz \"dflt\"}}", "dflt" },
	{ "{{and .zz.y .t}}", "<no value>" },
	{ "{{or .t .s.x}}", "true" },
	{ "{{.big}} {{.small}} {{.f}} {{1e20}} {{1e21}} {{123456789.0}} {{1e-4}} {{1e-5}}",
	  "1e+21 1e-05 1.5 1e+20 1e+21 1.23456789e+08 0.0001 1e-05" },
	{ "{{printf \"%v %d %s\" 1 2}}", "1 2 %!s(MISSING)" },
	{ "{{printf \"%d\" 1 2 \"x\"}}", "1%!(EXTRA int=2, string=x)" },
	{ "{{printf \"%d %d\" .f .s}}", "%!d(float64=1.5) %!d(string=hello)" },
	{ "{{printf \"%s %s %s\" .nul .l .m}}", "%!s(<nil>) [a b c] map[a:1 b:2 c:3]" },
	{ "{{printf \"%q %q\" .l .m}}",
	  "[\"a\" \"b\" \"c\"] map[\"a\":\"1\" \"b\":\"2\" \"c\":\"3\"]" },
	{ "{{printf \"%5t|%-7t|\" true false}}", " true|false  |" },
	{ "{{printf \"%x %X %x\" .s \"hi\" 255}}", "68656c6c6f 6869 ff" },
	{ "{{printf .s 1}}", "hello%!(EXTRA int=1)" },
	{ "{{split \"a,b,\" \",\"}}{{len (split \"a,b,\" \",\")}} {{len (split \"\" \",\")}} "
	  "{{split \"abc\" \"\"}} {{len (split \"\" \"\")}}",
	  "[a b ]3 1 [a b c] 0" },
	{ "{{title \"hello wORLD foo-bar a_b it's\"}}", "Hello WORLD Foo-Bar A_b It'S" },
	{ "{{template \"x\"}}{{define \"x\"}}{{.}}{{end}}", "<no value>" },
	{ "{{range $k, $v := .m}}{{$k}}{{$v}}{{else}}e{{end}}", "a1b2c3" },
	{ "{{range .nul}}x{{else}}n{{end}}", "n" },
	{ "a {{- \" b \" -}} c", "a b c" },
	{ "{{if .t -}} x {{- else -}} y {{- end}} z", "x z" },
	{ "{{.s}}{{`a\nb`}}", "helloa\nb" },
	{ "{{\n.s\n}}", "hello" },
	{ "{{'\\''}} {{'\"'}} {{\"'\"}}", "39 34 '" },
	{ "{{'é'}} {{'\\u00e9'}} {{'\\x41'}} {{'\\101'}}", "233 233 65 65" },
	{ "{{js .h}} {{html .h}} {{urlquery .h .u}} {{js .ctl}} {{js \"a\\u2028b\\x01é=\"}}",
	  "\\u003Ca href\\u003D\\\"x\\\"\\u003E\\'\\u0026\\'\\u003C/a\\u003E &lt;a "
	  "href=&#34;x&#34;&gt;&#39;&amp;&#39;&lt;/a&gt; "
	  "%3Ca+href%3D%22x%22%3E%27%26%27%3C%2Fa%3Eh%C3%A9llo+w%C3%B6rld a\\u0009b\\u000Ac\\\\d "
	  "a\\u2028b\\u0001é\\u003D" },
	{ "{{html .nul}}{{html .zz}}{{html .l 1 2}}{{urlquery .n}}{{js .n .f}}",
	  "&lt;no value&gt;&lt;no value&gt;[a b c] 1 24242 1.5" },
	{ "{{slice .l 0 1 1}}", "[a]" },
	{ "{{index .s 0}} {{index .u 1}}", "104 195" },
	{ "{{printf \"%c\" (index .s 0)}} {{eq (index .s 0) 104}} {{lt (index .s 0) 200}} {{printf "
	  "\"%T\" 1}}",
	  "h true true int" },
	{ "{{pad \"a\" 1.0 2}}", " a  " },
	{ "{{truncate \"é\" 1 | len}}", "1" },
	{ "{{ge 1 1}}{{ge 2 1}}{{gt 1 2}}{{le \"a\" \"a\"}}{{ne 1 2}}{{ne \"a\" \"a\"}}",
	  "truetruefalsetruetruefalse" },
	{ "{{not .zz}}{{not .nul}}{{not .em}}{{not .m}}{{not 0.0}}", "truetruetruefalsetrue" },
	{ "{{.nest}}", "map[deep:map[er:[map[name:n1 v:1] map[name:n2 v:2]]]]" },
	{ "{{range .nest.deep.er}}{{.name}}={{.v}};{{end}}", "n1=1;n2=2;" },
	{ "{{$.s}}{{with .m}}{{$.s}}{{.a}}{{end}}", "hellohello1" },
	{ "{{print .nul .zz nil}}", "<nil> <nil> <nil>" },
	{ "{{printf \"%v\" .zz}}", "<nil>" },
	{ "{{printf \"%[3]*.[2]*[1]f\" 12.0 2 6}}", " 12.00" },
	{ "{{printf \"%[5]d\" 1}}", "%!d(BADINDEX)" },
	{ "{{printf \"%[x]d\" 1}}", "%!d(BADINDEX)" },
	{ "{{printf \"%6.2f|%-8.1f|%+.3e\" 3.14159 2.5 12345.678}}", "  3.14|2.5     |+1.235e+04" },
	{ "{{printf \"%t\" 1}} {{printf \"%d\" true}} {{printf \"%s\" 1.5}}",
	  "%!t(int=1) %!d(bool=true) %!s(float64=1.5)" },
	{ "{{printf \"%08d|%+08d|%x|%-4d|\" -42 42 -255 7}}", "-0000042|+0000042|-ff|7   |" },
};

/* Refused by Go, too; the messages are ours. */
static const struct pair refused[] = {
	{ "{{\"a\" \"b\"}}", "1:3: can't give argument to non-function" },
	{ "{{nil}}", "1:3: nil is not a command" },
	{ "{{3 -3}}", "1:3: can't give argument to non-function" },
	{ "{{.s.}}", "1:5: unexpected \".\" in operand" },
	{ "{{if}}x{{end}}", "1:5: missing value for if" },
	{ "{{range}}x{{end}}", "1:8: missing value for range" },
	{ "{{else}}", "1:7: unexpected {{else}}" },
	{ "{{end}}", "1:6: unexpected {{end}}" },
	{ "{{if .t}}", "1:3: {{if}} without {{end}}" },
	{ "{{foo}}", "1:3: function \"foo\" not defined" },
	{ "{{$y}}", "1:3: undefined variable \"$y\"" },
	{ "{{/* unclosed", "1:3: unclosed comment" },
	{ "{{ /* c */ }}", "1:4: unexpected character" },
	{ "{{.s}", "1:5: unexpected character in a name" },
	{ "{{\"abc", "1:3: unterminated quoted string" },
	{ "{{'ab'}}", "1:3: malformed character constant" },
	{ "{{1.2.3}}", "1:6: unexpected \".3\" in operand" },
	{ "{{08}}", "1:3: integer overflow or bad number syntax" },
	{ "{{1_}}", "1:3: bad number syntax" },
	{ "{{0x}}", "1:3: bad number syntax" },
	{ "{{_1}}", "1:3: function \"_1\" not defined" },
	{ "{{99999999999999999999}}", "1:3: integer overflow or bad number syntax" },
	{ "{{1e400}}", "1:3: number out of range" },
	{ "{{true.x}}", "1:8: unexpected \".\" in operand" },
	{ "{{\"s\".x}}", "1:7: unexpected \".\" in operand" },
	{ "{{nil.x}}", "1:7: unexpected \".\" in operand" },
	{ "{{..s}}", "1:5: unexpected \".\" in operand" },
	{ "{{. .s}}", "1:3: can't give argument to non-function" },
	{ "{{.s .n}}", "1:3: can't give argument to non-function" },
	{ "{{.m \"a\"}}", "1:3: can't give argument to non-function" },
	{ "{{len 3}}", "1:3: error calling len: len of int" },
	{ "{{len .nul}}", "1:3: error calling len: len of nil" },
	{ "{{index .nul 1}}", "1:3: index of untyped nil" },
	{ "{{index nil}}", "1:3: index of untyped nil" },
	{ "{{and}}", "1:3: wrong number of args for and: want at least 1 got 0" },
	{ "{{not}}", "1:3: wrong number of args for not: want 1 got 0" },
	{ "{{eq 1}}", "1:3: wrong number of args for eq: want at least 2 got 1" },
	{ "{{eq .l .l}}", "1:3: non-comparable types: list, list" },
	{ "{{eq .m .m}}", "1:3: non-comparable types: map, map" },
	{ "{{lt 1 1.5}}", "1:3: incompatible types for comparison" },
	{ "{{lt .n .f}}", "1:3: incompatible types for comparison" },
	{ "{{lt true false}}", "1:3: invalid type for comparison" },
	{ "{{with $x := .n}}{{$x}}{{.}}{{end}}{{$x}}", "1:38: undefined variable \"$x\"" },
	{ "{{printf .n}}", "1:3: argument 1: expected string, got int" },
	{ "{{join .nums \",\"}}", "1:3: argument 1: expected a list of strings, not of int" },
	{ "{{define \"x\"}}a{{end}}{{define \"x\"}}b{{end}}{{template \"x\"}}",
	  "1:25: multiple definition of template \"x\"" },
	{ "{{if .t}}{{define \"x\"}}a{{end}}{{end}}", "1:12: unexpected {{define}}" },
	{ "{{break}}", "1:3: {{break}} outside {{range}}" },
	{ "{{range .l}}{{define \"x\"}}{{break}}{{end}}{{end}}", "1:15: unexpected {{define}}" },
	{ "{{range $a, $b, $c := .l}}{{end}}", "1:15: too many declarations" },
	{ "{{$a, $b := .l}}", "1:5: too many declarations" },
	{ "{{range .s}}{{end}}", "1:3: range can't iterate over a string" },
	{ "{{range .t}}{{end}}", "1:3: range can't iterate over a bool" },
	{ "{{if .t}}{{else}}{{else}}{{end}}", "1:24: expected end; found {{else}}" },
	{ "{{with .s}}{{else if .n}}{{end}}", "1:19: unexpected \"if\" in end of action" },
	{ "{{| .s}}", "1:3: empty command" },
	{ "{{()}}", "1:4: missing value for parenthesized pipeline" },
	{ "{{(.s}}", "1:6: unexpected \"}}\" in parenthesized pipeline" },
	{ "{{.s)}}", "1:5: unexpected \")\" in command" },
	{ "{{.n | 3}}", "1:8: non executable command in pipeline stage 2" },
	{ "{{.s | .n}}", "1:8: can't give argument to non-function" },
	{ "{{.s | \"x\"}}", "1:8: non executable command in pipeline stage 2" },
	{ "{{$x := $x}}", "1:9: undefined variable: $x" },
	{ "{{range $i := .nums}}{{$i}}{{end}}{{$i}}", "1:37: undefined variable \"$i\"" },
	{ "{{\"\\z\"}}", "1:3: invalid escape in a string" },
	{ "{{\"\\400\"}}", "1:3: invalid escape in a string" },
	{ "{{slice .s 1 2 3}}", "1:3: cannot 3-index slice a string" },
	{ "{{slice .n}}", "1:3: can't slice int" },
	{ "{{index .l \"a\"}}", "1:3: cannot index with string" },
	{ "{{index .m 1}}", "1:3: a map has strings as keys, not int" },
	{ "{{index .l 1.0}}", "1:3: cannot index with float64" },
	{ "{{pad .nul 1 1}}", "1:3: argument 1: expected string, got nil" },
};

static const struct pair own[] = {
	{ "{{range 3}}{{.}}{{end}}", "012" },
	{ "{{range $i := 2}}{{$i}}{{end}}", "01" },
	{ "{{join .l \"-\"}}{{join (split .path \"/\") \"+\"}}", "a-b-cx+y+z" },
	{ "{{json .m}}", "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}" },
	{ "{{json .mix}}", "[1,\"x\",null,2.5,true,{\"k\":\"v\"},[\"q\"]]" },
	{ "{{json \"<&>\"}}", "\"<&>\"" },
	{ "{{.s}}\\t{{.n}}\\n", "hello\t42\n" }, /* TEMPLATE_ESCAPES */
	{ "{{\"a\\tb\"}}", "a\tb" },
};

static int run(const char *text, const struct template_data *d, unsigned int flags, struct buf *out,
	       struct err *err)
{
	cleanup_template struct template *t = NULL;
	int r = template_parse(text, flags, &t, err);

	return r < 0 ? r : template_execute(t, d, out, err);
}

static void gives(const char *text, const struct template_data *d, unsigned int flags,
		  const char *want)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	if (run(text, d, flags, &out, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	if (strcmp(buf_str(&out), want) != 0)
		fail_msg("%s: \"%s\" instead of \"%s\"", text, buf_str(&out), want);
	buf_done(&out);
}

static void fails(const char *text, const struct template_data *d, const char *want)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	if (run(text, d, 0, &out, &err) >= 0)
		fail_msg("%s: \"%s\" instead of an error", text, buf_str(&out));
	assert_int_equal(err.kind, ERR_USAGE);
	if (!strstr(err.msg, want))
		fail_msg("%s: \"%s\" instead of \"%s\"", text, err.msg, want);
	buf_done(&out);
}

static const struct template_data plain = { .json = data, .len = sizeof(data) - 1 };

static void test_as_go(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		gives(same[i].text, &plain, 0, same[i].want);
}

static void test_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		fails(refused[i].text, &plain, refused[i].want);
}

static void test_own(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		gives(own[i].text, &plain, TEMPLATE_ESCAPES, own[i].want);
	fails("{{lenn .s}}", &plain, "function \"lenn\" not defined; did you mean \"len\"?");
	fails("a\nb{{.s.x}}", &plain, "template: 2:4: can't evaluate field x in type string");
}

struct inner {
	char *name;
	bool on;
};
struct outer {
	char *id, *state;
	int64_t size;
	char **tags;
	struct json_map labels;
	struct inner *maybe;
	struct inner always;
	JSON_LIST(struct inner) list;
	struct opt_i64 limit;
	char *dns_names;
};
static const struct json_field inner_fields[] = {
	JSON_FIELD(struct inner, name, "Name", JSON_STR),
	JSON_FIELD(struct inner, on, "On", JSON_BOOL),
};
static const struct json_desc inner_desc = JSON_DESC(struct inner, inner_fields);
static const struct json_field outer_fields[] = {
	JSON_FIELD(struct outer, id, "Id", JSON_STR),
	JSON_FIELD(struct outer, state, "State", JSON_STR),
	JSON_FIELD(struct outer, size, "Size", JSON_I64),
	JSON_FIELD(struct outer, tags, "RepoTags", JSON_STRV),
	JSON_FIELD(struct outer, labels, "Labels", JSON_MAP),
	JSON_FIELD(struct outer, maybe, "Maybe", JSON_OBJ, .desc = &inner_desc),
	JSON_FIELD(struct outer, always, "Always", JSON_STRUCT, .desc = &inner_desc),
	JSON_FIELD(struct outer, list, "List", JSON_ARRAY, .desc = &inner_desc),
	JSON_FIELD(struct outer, limit, "Limit", JSON_OPT_I64),
	JSON_FIELD(struct outer, dns_names, "dns_names", JSON_STR),
};
static const struct json_desc outer_desc = JSON_DESC(struct outer, outer_fields);

/* With a table, what is absent is zero, and what can't be there is an error. */
static void test_fields(void **state)
{
	static const char json[] = "{\"Id\":\"x\",\"Labels\":{\"a.b\":\"c\"},"
				   "\"List\":[{\"Name\":\"n\",\"On\":true},{}]}";
	const struct template_data d = { .json = json,
					 .len = sizeof(json) - 1,
					 .desc = &outer_desc };
	const struct template_data empty = { .json = "{}", .len = 2, .desc = &outer_desc };
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	gives("{{.Id}}|{{.State}}|{{.Size}}|{{.RepoTags}}|{{.Labels}}|{{.Maybe}}|{{.Always.Name}}|"
	      "{{.Always.On}}|{{.List}}|{{.Limit}}",
	      &d, 0, "x||0|[]|map[a.b:c]|<nil>||false|[{n true} { false}]|<nil>");
	gives("{{range .List}}{{.Name}}:{{.On}};{{end}}{{.Labels.zz}}{{index .Labels \"a.b\"}}", &d,
	      0, "n:true;:false;<no value>c");
	gives("{{if .Maybe}}y{{else}}n{{end}}{{if .Limit}}y{{else}}n{{end}}{{len .RepoTags}}"
	      "{{range .List}}x{{else}}e{{end}}",
	      &empty, 0, "nn0e");
	gives("{{json .}}", &empty, 0, "{}");
	gives("{{.Labels \"a.b\"}}{{.Labels \"zz\"}}", &d, 0, "c");
	/* podman's, whose structs' fields are called otherwise than in JSON */
	gives("{{.dns_names}}{{.DNSNames}}{{.DnsNames}}", &empty, 0, "");
	fails("{{.DNSName}}", &d, "can't evaluate field DNSName");
	fails("{{.dnsNames}}", &d, "can't evaluate field dnsNames");
	fails("{{.Identifier}}", &d, "can't evaluate field Identifier");
	fails("{{.RepoTag}}", &d, "can't evaluate field RepoTag; did you mean .RepoTags?");
	fails("{{.id}}", &d, "did you mean .Id?");
	fails("{{.Maybe.Name}}", &d, "nil pointer evaluating field Name");
	fails("{{(index .List 0).Of}}", &d, "can't evaluate field Of; did you mean .On?");
	fails("{{.Id \"x\"}}", &d, "can't give argument to non-function");
	assert_true(run("{{.Foo}}", &d, 0, &out, &err) < 0);
	assert_non_null(strstr(err.hint, "fields: .Id .State .Size .RepoTags"));
	buf_done(&out);
}

/* Rows of listings have no table: all that there is are their members. */
static void test_rows(void **state)
{
	static const char json[] = "{\"ID\":\"1\",\"Label\":{\"k\":\"v\"}}";
	static const char list[] = "[{\"ID\":\"1\"},{\"ID\":\"2\"}]";
	const struct template_data row = { .json = json, .len = sizeof(json) - 1, .fields = true };
	const struct template_data rows = { .json = list, .len = sizeof(list) - 1, .fields = true };

	gives("{{.ID}}{{.Label \"k\"}}{{.Label \"x\"}}{{.Label.x}}", &row, 0, "1v<no value>");
	fails("{{.Id}}", &row, "did you mean .ID?");
	gives("{{range .}}{{.ID}};{{end}}", &rows, 0, "1;2;");
	fails("{{range .}}{{.IDs}}{{end}}", &rows, "did you mean .ID?");
}

static void test_mask(void **state)
{
	static const char json[] = "{\"a\":\"x\\u001b[31m\\u009by\\n\\t\\u00e9\"}";
	struct template_data d = { .json = json, .len = sizeof(json) - 1 };

	gives("{{.a}}", &d, 0, "x\033[31m\302\233y\n\té");
	d.mask = true;
	gives("{{\"\\033[1m\"}}{{.a}}", &d, 0, "\033[1mx?[31m??y\n\té");
}

static void test_limits(void **state)
{
	cleanup_free char *deep = xcalloc(1, 1 << 16);
	cleanup_free char *longer = xcalloc(1, TEMPLATE_BYTES_MAX + 2);
	size_t n = 0;

	fails("{{range 5000000}}{{end}}", &plain, "more than 4000000 steps");
	fails("{{range 100000}}{{range 100000}}x{{end}}{{end}}", &plain, "steps");
	fails("{{range 9999999}}{{pad \"x\" 9999 9999}}{{end}}", &plain, "more than");
	fails("{{$x := \"0123456789\"}}{{range 40}}{{$x = print $x $x}}{{end}}", &plain,
	      "values of more than");
	fails("{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}", &plain, "depth");
	fails("{{pad \"x\" 1000000000 1}}", &plain, "expected widths");
	fails("{{index .l 18446744073709551615}}", &plain, "overflow");
	for (int i = 0; i < 100; i++, n += strlen("{{if 1}}"))
		memcpy(deep + n, "{{if 1}}", strlen("{{if 1}}"));
	fails(deep, &plain, "nested deeper than");
	memset(deep, 0, 1 << 16);
	memcpy(deep, "{{", 2);
	memset(deep + 2, '(', 5000);
	fails(deep, &plain, "nested deeper than");
	memset(longer, 'x', TEMPLATE_BYTES_MAX + 1);
	fails(longer, &plain, "longer than");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_go),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_own),    cmocka_unit_test(test_fields),
		cmocka_unit_test(test_rows),   cmocka_unit_test(test_mask),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
