/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/template*.c only. */
#pragma once

#include "base/json_internal.h"
#include "base/template.h"

/* Memory that is freed all at once. */
struct tarena {
	struct tchunk *chunks;
	size_t left; /* in the first of them */
	size_t total;
};
void *tarena_alloc(struct tarena *a, size_t size); /* zeroed */
char *tarena_copy(struct tarena *a, const char *s, size_t len);
void tarena_done(struct tarena *a);

enum tkind {
	TV_NONE, /* no value at all: a member that a map does not have */
	TV_NULL, /* JSON's null */
	TV_NIL,  /* a field that points to nothing */
	TV_BOOL,
	TV_INT,
	TV_UINT, /* over INT64_MAX, or a byte */
	TV_FLOAT,
	TV_STRING,
	TV_LIST,
	TV_MAP,
	TV_STRUCT,
};
struct tval {
	enum tkind kind;
	bool constant; /* written in the template */
	union {
		bool b;
		int64_t i;
		uint64_t u;
		double f;
		struct {
			const char *s; /* may hold NUL */
			size_t len;
		};
		struct { /* TV_LIST, TV_MAP, TV_STRUCT */
			/* NULL: a list that the template made, or an empty one */
			const struct json_value *json;
			const struct json_desc *desc; /* of the struct, or of the elements */
			const struct tval *items;     /* of a list that the template made */
			uint32_t n;                   /* all that there are */
			/* of the list or map: what its elements are without a desc */
			enum json_kind elements;
			bool fields; /* elements are structs whose members are their fields */
		};
	};
};
extern const char *const tval_kind_names[]; /* by enum tkind, as messages call them */

static inline struct tval tval_int(int64_t i)
{
	return (struct tval){ .kind = TV_INT, .i = i };
}
static inline struct tval tval_bool(bool b)
{
	return (struct tval){ .kind = TV_BOOL, .b = b };
}
static inline struct tval tval_string(const char *s, size_t len)
{
	return (struct tval){ .kind = TV_STRING, .s = s, .len = len };
}

enum tnode_kind {
	TN_TEXT,
	TN_ACTION,
	TN_IF,
	TN_RANGE,
	TN_WITH,
	TN_TEMPLATE,
	TN_BREAK,
	TN_CONTINUE,
	/* in pipelines */
	TN_DOT,
	TN_NIL,
	TN_CONST,
	TN_FIELD,    /* .names[0].names[1]... */
	TN_VARIABLE, /* names[0] is the variable */
	TN_CHAIN,    /* args is what the names are fields of */
	TN_FUNC,
	TN_PIPE,    /* args are commands */
	TN_COMMAND, /* args are operands */
};
struct tnode {
	enum tnode_kind kind;
	uint32_t at; /* in the text */
	struct tnode *next;
	struct tnode *args;
	struct tnode *pipe;       /* of an action; of a template may be NULL */
	struct tnode *body, *alt; /* of if, range, with */
	struct tval value;        /* text and constants */
	const char **names;
	uint32_t n_names;
	uint32_t n_args;
	const struct tfunc *func;
	const char *decl[2]; /* variables of a pipeline */
	uint32_t n_decl;
	bool assign; /* "=" */
};

struct tdefine {
	const char *name;
	struct tnode *body;
	struct tdefine *next;
};
struct template
{
	char *text;
	struct tarena arena;
	struct tnode *body;
	struct tdefine *defines;
};

/* template_lex.c: what stands between delimiters, a token at a time. */
enum ttoken_kind {
	TT_ERROR,
	TT_END, /* the right delimiter */
	TT_SPACE,
	TT_WORD,
	TT_FIELD, /* ".Name" */
	TT_DOT,
	TT_VARIABLE,
	TT_CONST,
	TT_PIPE,
	TT_DECLARE,
	TT_ASSIGN,
	TT_COMMA,
	TT_OPEN,
	TT_CLOSE,
};
struct ttoken {
	enum ttoken_kind kind;
	const char *s; /* in the text: of a field without the dot, of a variable with the "$" */
	uint32_t len;
	uint32_t at;
	struct tval value; /* TT_CONST */
};
struct tlexer {
	const char *text;
	const char *p;
	struct tarena *arena;
	struct err *err;
	bool trim; /* the right delimiter eats the space behind it */
};
/* TT_ERROR: err is filled. */
struct ttoken template_lex(struct tlexer *l);
/* Is there a right delimiter at s? Returns its length, 0 if not. */
size_t template_right(const char *s, bool *ret_trim);
int template_fail_at(const char *text, size_t at, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* template_exec.c */
struct texec {
	const struct template *t;
	struct tarena arena;
	struct buf *out;
	struct err *err;
	const struct tnode *node; /* for messages */
	struct tvar {
		const char *name;
		struct tval value;
	} * vars;
	size_t n_vars, cap_vars;
	uint32_t depth, steps;
	bool mask;
	enum { TX_GO_ON, TX_BREAK, TX_CONTINUE } jump;
};
int texec_fail(struct texec *x, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* template_eval.c */
/* One more step, at the node: fails over the limits. */
int teval_enter(struct texec *x, const struct tnode *n);
void teval_push(struct texec *x, const char *name, struct tval value);
struct tvar *teval_var(struct texec *x, const char *name); /* NULL: there is none */
/* Without and with its variables set. */
int teval_commands(struct texec *x, const struct tnode *pipe, const struct tval *dot,
		   struct tval *ret);
int teval_pipeline(struct texec *x, const struct tnode *pipe, const struct tval *dot,
		   struct tval *ret);

/* template_value.c */
struct tval tval_of_json(struct texec *x, const struct json_value *v, const struct json_desc *desc,
			 enum json_kind kind);
/* The i-th element of a list. */
struct tval tval_element(struct texec *x, const struct tval *list, uint32_t i);
/* Fails, or gives TV_NONE, when there is none. */
int tval_field(struct texec *x, const struct tval *v, const char *name, struct tval *ret);
struct tval tval_key(struct texec *x, const struct tval *map, const char *key, size_t len);
/* Members of a map by name, or fields of a struct in their order: *ret has n, from the arena. */
struct tmember {
	const char *key;
	struct tval value;
};
struct tmember *tval_members(struct texec *x, const struct tval *v, uint32_t *ret_n);
bool tval_truth(const struct tval *v);

/* template_print.c: as fmt's %v, %q and so on. */
void tprint_value(struct texec *x, const struct tval *v, struct buf *out);
/* Sprint and Sprintln. */
void tprint_all(struct texec *x, const struct tval *v, size_t n, bool line, struct buf *out);
void tprint_json(struct texec *x, const struct tval *v, struct buf *out);
/* precision -1: %g with the fewest digits that are the number. */
#define PRECISION_MAX 300
void tprint_float(double f, char verb, int precision, bool plus, struct buf *out);
void tprint_quoted(const char *s, size_t len, bool ascii, struct buf *out);
/* The character at s (len > 0 bytes) and its length; U+FFFD for a wrong byte. */
uint32_t tprint_rune(const char *s, size_t len, size_t *ret_len);
void tprint_utf8(uint32_t c, struct buf *out);
bool tprint_printable(uint32_t c);
/* template_printf.c */
void tprintf_values(struct texec *x, const struct tval *v, size_t n, struct buf *out);

/* template_func.c */
struct tfunc {
	const char *name;
	int min, max; /* arguments; max -1: any */
	int (*call)(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
};
const struct tfunc *tfunc_find(const char *name, size_t len);
/* The function whose name is most like it, or NULL. */
const char *tfunc_near(const char *name);
enum { TFUNC_AND = 0, TFUNC_OR = 1 };
extern const struct tfunc tfuncs[]; /* these two are evaluated argument by argument */

/* template_text.c */
int tcall_print(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_println(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_printf(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_html(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_js(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_urlquery(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_json(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_split(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_join(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_lower(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_upper(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_title(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_pad(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
int tcall_truncate(struct texec *x, const struct tval *args, size_t n, struct tval *ret);
