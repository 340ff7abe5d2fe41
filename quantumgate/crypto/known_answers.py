"""Fixed answers that each backend must give before it is trusted.

Seeds come from ``FixedRandom(KNOWN_ANSWER + name)``. Recorded from cryptography 50.0.2 with OpenSSL 4.0.3; the ML-KEM
and ML-DSA values were confirmed with liboqs 0.16.0, P-521 by independent arithmetic in the tests, where the vectors of
the RFCs are. Not for: vectors of the protocol (tests/vectors).
"""

from __future__ import annotations

from base64 import b85decode
from dataclasses import dataclass

KNOWN_ANSWER = b"QuantumGate/1 known answer "


@dataclass(frozen=True, slots=True)
class KemAnswer:
    """Of a KEM key from a known seed: SHA-256 of the public key, a ciphertext, its secret, and that of a zero one."""

    public_hash: str
    ciphertext: bytes
    secret: str
    rejected: str


AEAD_ANSWERS: dict[int, str] = {
    1: "8e87a27dcee3a3963a8d4504b42ad2b7d45915b9d0d0975e3ab455703ffdc629",
    2: "25e63eeef999a286cfdd72ac0649183270f8b3122406da04d5c9ea1981e58a9b",
}
"""SHA-256 of the box of a drawn key (32), iv (12), text (100) and associated data (20), sealed as number 5."""

HKDF_ANSWER = (
    "de324197d11a8be1e20b1e2529139af6efaddfa660658eb3518d3c01b6bdfd45"
    "acebc506cb8dd7df1e5e9e4c3c97e9dcf4066992f7e02bfb41a37cc4e58c7e61"
)
"""Expand(Extract(salt, ikm), "qg1 root", 64) of a drawn salt (64) and ikm (80), SHA-512."""

AGREEMENT_ANSWERS: dict[int, str] = {
    1: "98d79103fe103e59f8325d4cee76cca3f9bd09f6384f96f8b6642a157970e6c0",
    2: "e82d8c0bf0e476a4edd6083b8f7ba185dc86a19c25260972fe77150b1dfeb775",
    3: "b794f099c4d0f6f3e2f4033d597c77b0ed0afda21b165d515aeb96c2c208fda9",
}
"""SHA-256(share a || share b || secret) of two keys drawn one after the other."""

MLKEM_ANSWERS: dict[int, KemAnswer] = {
    1: KemAnswer(
        "f4c69589ac5b766b66259ec458cbe7b82c059d2affea35f0e23f8367154c2a15",
        b85decode(
            "5sn29Q1bHE19A5hb6B!qmkJw67b_(8yJ%Kk03(KPZjN?9;s_66IaN&@%jodIe=_;JA(P$<$@O&<eR+ClG+o^<y5iCB{T}wuC^!9~gq~RrM_gM7OS"
            "FbDm^iB-?u{%=0e$QMYz!r6)rl09ysgX7aVzVJb<8(w(Bjj4jY&!eYTmhhKxZn8{Wb=jQV#DSXs0X2gL+)SU7ebPYBSsyxGZ=y%`e=Y{E-"
            "rqTngosja}Xk46E&(Zwi`o2|yth&C;)^gt@-$-"
            "xoT|r#(?|AdP7{(9Yru{}ekeRzv#~R2LY|y=%%I@e)@>&Mk21pj27lg&!Ds;HUAUSnPYeO1pRiJf@~2L39P!Bq4f(fhp|M-"
            "d@0kt&vGp6wM_3$}8IgzkGu9GOqjI;D}{=*Ju3gO<VZ=>~{7h!IY1309u{Nqspl7J>N(C{z_qV8B0<YaM&VmZWmv3RfkghjQe29$OQ{<$yuKG8<w"
            "rFh-"
            "b*s5__Qim=yaQ2WdgX6oVTv`Bjc`ZNCK{9dWaLK|ID}|4XWTZ&)qYx7;oO3!rdJVTGjbvrR_AaU$Zrc0if&dbQ2%VkmY58Kjfjwx{+Vo6d<XK`@i"
            "P+SexFwUL&RlCKFR&LyBudaT*1OAl<^w1`m(#I|%Ucx&*^$)2*iiTct$vZ??DT=TQsB?=jD<)}1})^&pV%w%!)I4!x0g7Dg`)pApeDR$s8@)@*o6"
            "n4;HQ!Q(c2m2*r`TfyaRCZkG8S(pQ+cXXw9=Ga`EpIu51xk_+st#J0?Dp6qgg05XM^6<K?Js}QXkSg>$~XSYlCh;>;+_DqY3A9=AZ>d2#2R@gAN&"
            "m3fN88^tk5hNyD)Zdp&;81QvgNPkdcO2qVJ|}kT+w-l5PWaj5W*SQu0&1<DJMeY700$!DJb_d*-"
            "So13%e6ZM(TwHGaSTElT0@N*8Z~VZ3t=pZQF1Z2blSt}87`^mR_&$?|}_YkqY$W0%F5$ZY*Pt^k)JwbSBjbfW!?gy_mvUplCXU)j-"
            "dZc&t6fZ;t#k)A!>!-"
            "67o4RuHhiW%8#xsM5Nd<|l42TCIKlc})s4MvvrjG<!2%BoH;Dl>^u++&^o)}EwvY|eka`SSYhK!#%rGlVrayNHcNJvhNkX|TpO=Mn}aa+?67aSO`"
            ")gGL}pS+96+j!%PSLza5LfC266E!4-%N*lHbU2PtXMQuW=15b`>z>-"
            "|0FUu`A)+?|<bUZQ#?56OE+`Rg<&MESDQhYDl!b|88PF*Au%3c3SNFm;7#7}_;C?zno_lEUjmHsL=y`7NnpF76M!NR}LX)G7Fp%U6U^bRw{<7uOy"
            "eec@1AfK~t-QgCzXl9U2!Gs`y72jq#2NV~$Arek$hcpk{<DY<dfL|yd(rp;e*EES{G`t6JI#yCwS`fY-bo%*q"
        ),
        "eae54cd92ce32cb92ffb5d2be1f51f444e6339d58648dd43b097827e16915a59",
        "14378f929691de02f579cf609734035a4981090d71b2f623cb781f512cb30216",
    ),
    2: KemAnswer(
        "9cae17a08df71530b8b4f6560f5a5b94fb1af0ecf655cbd6effe5e79ed427b97",
        b85decode(
            "xPa7%S569EvFeWg`C!<eBc4<4yGD~(7zk*FP&P6?i2UO1l+WUiupoSdCvbSMQ_=CL<E>hl__SHgD+AUpN4>pBi_U|uFMJMd-CpQ>xp|&19iDLxWB"
            "x_DW~|cr^>5G>QsUWMdU<^g?$!z(aOSc2aKKT;D1Bj!8~`mM<aq5l6n;0T*?}kINE_!NDHkq{rKO#XB$oLP`&smKT1xq8!foPE_DTEk9xeuK)OxM"
            "|@Zdmg-Q_%D3~*lL-"
            ">4HsqhSMxaQv+xtF52I{Tu9Vs=IXJl$?ivJqtNpr$_#plD?=RRv%;4mm>WaCtL4uyVryw^;<{*_HDG*FlaP#zssSeO?K@z2r*qhx>Ihw4{wKlF9^"
            "`JzHao5flvRFwEv-5PP_&+b-"
            "uK1g#_SSos2uG>hlI70i>>XB5o+%Ubqw!RzYqGaWpky2ZLsS2v0VUnD#c)w(m?{ajO*&XVhA)2JR9@NGe7$Ko%LaMMEpqh7A-"
            "40W%7)Pe2uA6|eTfE}mL5<B9yNKvFMB*kWGPUgU_RZXprQ%YeS@wQYuqPA++Gr(#gZ?Q`L0FpKWJe1VWh(9{t=k#Bt_pS&MLoN0-$KB|b*&Ak-Rn"
            "!WLE8HP6`+~}IsPdTkk4{`-!P9y-o&pjTXA@(;Ik=#Y0lK1+TiBuS-3}l+Z-"
            "DiL7l2A6Wn2#EHGP`1Vjh%M3*JkwJGJ72XTd^^$*0zjaMVV@+*r=T~q5)43FU0b?qp{vl(4<oS%*^(z7FKHABJjcIA^H81+t-"
            "*JI<78vdbM<_&g;cqZ_Y-R!0wB--pT(IXwmVZ&Y`FCB(EDTUab^hl--|hMyzu{x`XeDOlLt9TCdGNF~ue2SrVl3FR?Ng>l!cCQ-huWjXkN3$EQS|"
            "?Xx?<;mIN*83yBYBa;`3br&jYtIoO_x`ZAVK-"
            "`JykRtHb9W=Sb5&i=(=}}0|E1F*`SBZdhA89W)CD7ru9;fWDOVo1n%TQMX<SWoH8vAqtZiePK=%1N+eOrl@DR_`P8jk@P-=h!E-"
            "(1|dKFQh@8Psz)^>Rk^ey>~2kSF%UG1PBFZV}eboU|guS|2rjma`f4$W?^_Z<OG|?UmJRw)~KJ9uLlJ`5K9DcyZfixg(rUa7$hc<yBC+$&y(ki#c"
            "KAERL0Py?yJ~(pQ@LnDonDour;O0huIgPXjWaAznzza|?EZy^2Fn70uQ4sBXJ=tm<?s(Vy+uB0o%tYWDL}1E5a>8f<X@3I1SU8Wk;kh{>I^Sv>gB"
            "F)DP&{h|>7tV5S70@HjSodJFNhul~BS_KeIp?@#P=bGP^U()R7>Ay<iYYT({9{SiuoZefQDWYHyWaK{m5(lxqt2b<7RBd5a>9C06`;XLqVTrzZKa"
            "zS8;*APa-XIyw9IVu~R2>@68;<J5`g0o31vs3tu@`AY49!oW3B(kEE|}4(<&s4zB7z$;ub*SMk}3&IQDR32M}|iw@MjlBXn9<ra?G*HMat7JT)(H"
            ";waf!TgfO+B7~kW`?O!-7iWJ966L<TYG6K+?o!AlH?O$1l8R-"
            "K!_KmFm=*{=_3<w2W+yT&ea8vU9fL1W5dDrW3JV)CMIW8o!b@;1m5|3wHzO0m4Ay0NI2lFd>ts?_&=Xa~p;dF>}x%t=7>|mSjms(jpVnQ>12(=d|"
            "r-!91rteP&_BbD~f~ZHVcvUJtza-#8;{A&HTX1WCdS-"
            "F+Ri`@4Nq7pN6_SvT@g&MQK2N{MPMO+OO@_ld(63Co%p8BFuNHWBUL0Q%+Uz^TIf~=OJ3*3AvVpPll|7m})KGOSd71UeCA3K1evvJ_83dEEX-"
            "$$|FSB5t0!6juEDr<XS~}i7L0+%pRhD^p`D0>}5QH69{B0xp2Gk<Zm^&zk@DRa?enqR+GNQ~~sGsqws1zhlCq4zroO?H`)}Wd8W5bFbT6%WJT2G1"
            "*{p^7~vjI}76sBtKaklNM)%s15XA?Sa6N81)xsm}beKa1C#%%?wg+7o;CJ^+>_i5BSjc-QIn@>t7!YD|%<^U*=6#`<s?b=?f"
        ),
        "e2132df8a15548fbacac5382f1ead7b0a3ea651c0576b2754da0993d047d18e4",
        "6a5dcae07250a0d37bef0b04c750a18296dfe7282906e17cc1e2c1e8e8107509",
    ),
}

IDENTITY_ANSWERS: dict[int, tuple[str, bytes]] = {
    2: (
        "4678524fedb2fb418c9717369964d78676960ed53e858a0e460d8f91d2e1ddbc",
        b85decode(
            "{_)rN3@i7xB-"
            "3FRMbBf{qaG>KACp<kkBAP(Ol5RuA^n9m6d&Ykq!7F@FwdxbFB>6C$wS=?HY2;kYxaK#xH~RYJK)guwZ#Gv<{zJlJG9By`D`nIxQ#^n<UeT7jl_f"
            "#{~l;kcNS^`N<^MQ3++&hjlZRDR4En(?-"
            "D$eIL9LKRuQd!LO3aO{U|`?`ra<Thjt+!PTa7&f#D%N2g+ov7pUeh9|<nn9w*xjtxj6#H<IsVO*J_6)rwdst`N=~R@E>&9{~3jNZu{0nRR%Dms})"
            "&Yh5A6Z^(U6`pzbZO7r@$L-fA-tE{$uId0F^$`sKwQq1adc-"
            "m|uAUJ>S(_uP1Y6{?sm#P!`(DzjDPG%1}O_kJX>IeG2m3eyF*_m*Kc=Z5jUk3p3ZAT_7oQbQ$bUoky3y%TlCH?cjE9qLDZE_kOV*pZRuXni4;Sg="
            "Ec;(m1dK2)|zfX0}?4-gVSpuEdWliCu$Wv&&Rop~8!foptt13op`mO@xF^(xQABtXP7-"
            "NoAc+5!{tz3Q#u%_Mo5ja)tT^3NH0zqQmTjGt69EUd^fk^vzVMt?2Kd}XmGcw{(23l`=eP)iOIH2zu;jB9GbbwER%ZCtr_di+`RI2o0*yFQuCf)N"
            "mrnTOkoiRuQi8EJd$J2+{Du9Yv270e$U3Pk#9!M$JHO;GN_hoE}+wyc>Ks_wY?Ks6U!mD#sphM{N3TL#XfLs!FCsl@fFB?Z`IO%JFOGs=T`o^+yl"
            ")1NS$4h_Q$w+v3rU^$$*$^T<KVm|Q_a0@xU1-+D@rM3OE9F-@nTT5HJYP>f5pTO^^NxruJV`&w-"
            "76k$kRKm}Hc+oopA~4b9FN3|*cI49bNc*)(}JX503yXTX)WgA5q#Y10CYns%i!T(QZy*L8{~`>*3N5iq`<_~WMa3<E;j>&Ax6%w(aN??XWR~<y)>"
            "}=9GzsUcOr~(E9Ww<wHX;cE9@y&!GLAdWRf2WpK6%Q6|Xx>6F`q%hjB>aLpVER143=%R9S!{{jfwuPH^!fn{F>+@pQ(d4s~LsQGuf;#Gz$&^e=BU"
            "6h`M}OMWn0X}y><`aZY2UQ?CklRdO-=(?zEkd>q&0&eZy9J`b51mx#+?!esS=e<BVRYiMb-rR;4ytAfmdWf7Z8<#hM%u53~JO8U@7vxAiC$Vw5%s"
            "fSgLYJ#0=ls8(=Sn4J0{$_LGU1N5vJEUf9VO5)KzTPysva{uKh5*f2v)M{vCoc%YqGAEh!2L#wx*<j)ufcq(kgXQ8Mf(!_LaM%4j)2YIA3rM@#W~"
            "b3J!d(tVhN7DOlJLl9h4hQuQ&N9;Dv9?gtzfhv&4nWj-"
            ";y8_@uY9T)6|$FE$GeGnPyC?}TlYL<J}+$TB8;+!yMrSQ%W_Q`1@ePE+zzF>$H%`HZsB)GqS)1=&f`R6IXRInOdp5=69(qpCOXORpIZOSGDmai=5"
            "%?L#>@Z9^9^Xry(78hC{7ldca?9jfqGRqy|*93CJdO>j^4=BWG=)KxAA4t*x*uL=sZ0-2BXeA(@F*JPkm>s!QV`^8JD8v-"
            "vlQ+)>aNy@*E+asa(MMiCst6b;NXIZcO8||x>FEx&AvsdOa5c29g7!xtQ^EF?1EV3!eTV?`ePj-}0Q2~~67+dK=q_5=o)jC9BvyzC?|7}KP-Th}K"
            "UqRyKilN;1P}nC&ZIIcn0oIOepE)t^36}xH@eUvngw!qdE(-"
            "wAFx)$jPHC^NPA_hu3YlEqV@+K#)wY~BnHU~po>M#r+nu@<MJBh)Kz2duo3f1D0`KLoH=>)xa>=1di{Y&z&CC^q1VWx=}BRT@v<L6Et(SVa7|GYz"
            "3#UWe(6yTs<y`d&yBEi(CO6$3r1`$NH^<{a~=ZY_@nKzkNNK>Mtr6gRvLu-&Eft?yN#;%l&oxz5-"
            "WD%|IUhKE?=yBDJx<2yH?4We?e@R7IB@Tfct@SJ=okzKg#;Tb&a*%fPYjXf4mSRC&5)%B9;=#kF~+qq!e0=H1-"
            "I?JTEmB{^;2gGE!(}9*e*qOZl;7J=}ASC1Z)tzzY(hD#34-38dDbjS;AZc@a_Xyn>fe1PM<=f?#*QKp_Aaua@MjcreZ?@TU2x^B*M~E1}WuES!>-"
            "79a!6D=`Bh^)fwdNI>ugga)~BYkiOf5atj%t|>et?ojpIH}k_t;;z-Y=Y3ymdi$L3Q*T#4W6?o5J4<2=Gcw^Y@$+-"
            "fSDc_8rLet7d4INwP*T$&yv(c+eJ%%+ZBJ<t%pJ_hWLDD^qzI`Yo1o_5vxKSf^IrK?4<e(!ESeDe=xh<9714M3Y8TEUIH6DAAWjG%0rrgm`0vfmS"
            "n=>Ff}qDDjduWH$Ji)pc21vAWSSuM!2{XioKBWP>ob*)mX`nw40<+CO0*aglg%^wX_i?$q4pe#UUfOm&Y}JE+1U5);r?MdIl7yth}lO;zc;@(SKa"
            "&12sH|_U;qe+r+kU}svg!t)`V9wyoeYX91_kD*t)df#WIX9ay5k<ijF{K;7B>~^@(L}#xSlkGMZ&9f}a&MQKV>oIC207p{5{%8uu4D*63FUA62v7"
            "*rNx(MfN5B<>urXg8(ouA{8r={=#Uy8jPJxd&iF_|5fK0U;s*j`gARc82zdghCIz1RE<zU%g89$AdwrE0e5#<?0W`1=QSikBO1Y>TPtf4pZ-cdXq"
            "S|usT?P_J)@+a9>1Qc^Cb&p2@q{5#JRZ}5(hCi(CN}>8fDX??JpBiH-<cez74ok;Gz7Z7AypIiGs=3Hts^Pc-"
            "k6xPo?4G@Iey;!(aXN2N7N3#+fB71Jf7kQcvEl8w<3BO&3N2?_C3$<#+3a-P?D-"
            "xS+GJFpYO}0cnQr4P+M@R{>6460R^19WITVLyMJVxEO|tgt)8|HtEJ7Ap$8(KDfZO+BIfO<@r_wk=*yt<S*?{_@ni_K78$0RmA!L5<3#4OXa2MHS"
            "Vc<sI1G~uExR&2PaHau3OeVS?}p9%8VO2?@xmx^hy|1i!|ClE>JV-L0PvH5rd~wll!`1&-"
            "bd|Y;ITQv?)rCims0dS;~g9q*@$xuldO$4|@y8kNaNAwDz*N)aIT5z=Bz2TDEq`W8t3k2LWmwrffRuph8rp<Q+%ae8M?^7dzY@t3$RuZ5tdSECPa"
            "(tHQ-<k&A@Cx|1JmwH=-sgp?l*?$*D4SQjBEb*vbsb&N)pu)Xzg)I-tDzuK`+jNX^B)4=nX?Qd+6q{H1^X-"
            "+6!gs#mLZ{7vl$czS=DD>L6%?@SasrEf%D#gs6!_ZNi44TvH;dY=>R&yW5S6xakq<oOyPgIj4lq4_1;SA0_APW;Jvv_8EF|ge-"
            "$zU}PnaPxyT;@p3f-Tg3AM@>SP%s93_b<fOGk$dL)XZzn-b?w>Uv_yiGSMhLRkf!(*8aL2pyIe)5u8{XIg^$im@EZ%kaXxAyP3O@iX0>4&MPNw-C"
            "U<_l9uVA+m)sJzoon0-D$y*bpM!6l>Ilr0P^!kc}wo&Td2HYP|h9u-Jk-"
            "j``CdIadLtGmbP*WOy;Nd`+KwRGptMipz?67ZgBPeOt$Qbn}Elrz9VcODGJl`a4_lfx#&nkMB7^tH#CvJMWo3RKhpb3aBQs3pW|Vthofum5Qi$t)"
            "YUeNR8wZEWJ8NrvFSES;|6!*g71SqhTc1$A2%3tUO}r^ymKT;k;lB*hXuP1;O9))V$0<lM1g7CT*csbo2vZB``C2@li0*gGmnoqO}fND7_d1gxqT"
            "FS<NZw0ALSK>BN5d*A!bM`&MIqK+Lx{6rt<BW5e$a+KQqZpcSvuRn#Zr#B+hv1;?g%7*hao@OF+^Dw+>d}<@2LHwzr!7Q)5#!y9EYjG)}S|eEmQ3"
            "%>EXnfSlUj6~i%s#E#`qKl>@g1TF31XI>Dlzy^M#sZ@>5CU#deLZBRh<#ZALD5hZ;>ktL)&3<8mS-"
            "1$^NCcG2MFaSpbq9}d^dS<8nNA^)Oz^%QhkX}a3%}z9OCc2aN;Rg`?tv0RUxtH<&i(PsGLdRTwq2)3)hF3x0N%3Xs2bonvCr8OJ7JJ;trjdz(8Nn"
            "$St9G2_`nbKqEuTrxq}r5E2IBXk@)W+&EN&cB+b>m{qubp5+D))TYjqi&{6*3F-"
            "ua$hdUCq3Tf8FT49^<D~rQ>VINgn1`<m1_Z}jz6=Sxm1rIYADE5{Gci_h;j)v3icl}KfA|4o$$j7HkrmIpn?7$mrc!~k}ggqEks~4cuOZ8kyzIy~"
            "{k60z2+>U!Pmv17_U+P?9<jc+phH;Oy+g@D}2p@$!Q}c=sS66+u7MWH%d}z<TKZ{`LB;xyK1r}+4uInOGZXJG+ox#!S5GGlGwF*U3RjeQ}k*~DM+"
            "5i9m00000000000000000000000062@n+;Ap"
        ),
    ),
    4: (
        "65a75db050048890b24ade892b6bd4ded6a012e857b4fe4a300743b1d2dc6720",
        b85decode(
            "`?9cWiC#dJY+q+%u~bI<sa?DuvolOJSbrEHDu$kI^Sh`ObVw%{8tpF%3@-"
            "c8o@C`rT~Jm2fNL%YZ2lo$5(5hQ!T}4P!J=5Z7e=atbi6E`eVtOFK=e{=*%c{1FAwj9>>V}N9zeTu)Ot=t3IG~mXCKH`3>WhP%ZVg|p#T=)_v1Lr"
            "tZs|Y&n_iM^8S1~-C``hY4-56Ou7&=CksG1Q=OB8)hgm-"
            "L`8MaX?Y5v5<&+*cvRM_X$K|>IShPY{^r<$k~uWj&TMHz7GdIl3Ub1)+i5+!^H+2{aw#S>(~23g-u-SK2#`>|1!;4rK*DKrPjG~IkjcdeRxi{05s"
            "hkXWPT5dKMy`ED)wcFy5L}fS!~@_Er9zTq<g^~V&N6ermcq<b0Rcj;7&_O!(j?t9xZVPP*zFf*n9Ej>jW>C1oZ0m1!&a(fmTE9nuWy$o7rgPr;1}"
            "+!^HslF2b^qC8pJP_)CvvmTpF#3a}Twx8O#EL;_j;o&|XqH~@67tTq|hg!5XI>xm!Vj>2QrAhvQ#jf9B{eo?+>jB4lXph7$JTDyQtPtWE;WoqNlK"
            "<Hfk9C!|q!@EFW_#2|3LNd<xD}70fqN+cBWVXl~+-=f%D^w6#>_{@w6`xB%X~F#N$X@JZ0N>6q)pH;073ey+@UqCix3rO`U*LI6pzRqO1$lMs;-"
            "Mbn4&>LCj3P8e^<HQi>xO`Hfy_zcFK!1DJhS%<M;7ML+LaIgfZ}8@Z_?U1YhV;=@Z|~#Hc(AiQ)2vkXIp*>jRNbBRaWox^?<fQ1COx}EH!G5k_r!"
            "6PpTgR{Q0#)vnFTXCV@=xa=nR=D|O@0NfFoS4WC;9I2X_qiWLe)7Di&>$NsSWNEEdW&$=V$13%FH<8KO3l%7$*XV&*!>Q2^SAqZ4*8c{FU+K+{kn"
            "Hlz^%uL7teb!6v7`1<yFV>T}%R_`yI~04P6h2g`-fUtr!}Tqev<w_-"
            "$@4}adlrMIpTUgO*%thuqiWR8i=4V$w_dE~xFRxdGK&BglSY^Z(gq8wb@9q9+}>W`DbPB4e5cnxFCP(QCyVQB#3U-"
            ";TIa1SO_YSB9x`Uk=c<=%L6D<>XMtFW?-"
            "VITlAOorcH&gN_Kscqe!p}Td0l#yaj3T{&1&bmDhYT7Y)S>TrFI9}s>hBR?yQJg>#bNu>K}I1n&8ip|Dt0C4-`F|Vq$>-"
            "1hklT^L|>vB4TFq)$`#GOxB>a1E9`xLtHo!HF*u*dH7<F^<gX<mhD9a5VjIYYks~3@$J!VNrLEOUDQ|CfyZ+&)Aaeh36>bfXnuZe;7Pnj!j;|P9v"
            "(0GBNn{))yB3RY=mDA+3wuf40<*ff)D<|Cj@P4)J^R7^0p(eZy&ZBcuHd9zOed#$WmN9(4yFbRRYt$M%yO{)DO?*2~QBoV$)_2V}k6IHQOQH45H3"
            "ekQYJ)3Q0RSuzm+y*5OZgkZQOizUdr3fDL|doAq1Yg>bV_ffrM;6Obi!ipS%|zTqZo06^cAJGxS`&Ibbx>d5@!(X<rLr23zX-tegzu`z&i%`7IVq"
            "*`FBFv6A@%K;{dFNQfAwK=RjtiiVf#L=H^4$6aF@NhLdE8tXDl7(C&Q59%@`Wj}FRC`{_FZYe+xc>q8<}tJwBlKt~CV42oKnVostME4Z34e~(B6@"
            "g#ie8pZITE)x-"
            "|gUOWOmK&URl1V2idAR8|Bv9c2Vx!lT=%I%@H75<T0Y)DRSkwLLXUC5H1En3@=eBl>cp4asY_gP@LR8q1u;s{E`(Ijhk3eo395NwUd5u9fmWIHXd"
            "g)vRb25laC!PZ@B@Ui_I<(EDSqU@p%YYHHqnBno)lvKihK8{WqOW2<ZvpjNPyUBi5^;nlLcuJ;El_w;kx@Lsm@{ygn6)2$yAsWgp|S!oU5Ym|x5Y"
            "fCS-"
            "E7W<n@gGwH>aT1rL_?4aRP9unm%Klv+Tgss?4A8@}K)nRYUb`AwcH8f@J)j4EwimYP3lMm83m*F_Rql62jyRf~q6)aNRn}NTbfcBoat=jO<4#THU"
            ";^YY2ee`RQ2r*o$?+Lc=Qbk)8iZW@JDcWU$hyZX$b=E(+Qb!B#Z91YGh3l5yJd~>F~%Pf%}(SmL&j0RX+m=7KR1^Ty9A3`&Kg0c(;53Ql1p(0g=H"
            "L;sV0b}$<iIC0hRby#MK)!OoxD%!r!z-Zj++$9lx(B3<4z2ookgLr5ia5^35%ycEle@j-"
            "}=$S@tiOtVH>q_!vPYp7X{u4N;ZB=qW5lMVremKxkHMAJXRBkSgZ6=$Tiyk)E0Y&YUOqGtVnP-"
            ")7ipf6+$SPKlN+Fg@l;owYYc^fD|p#cY&G3f(@QkQS{W1KVvZDd|c;NZ{`P1u>~633a|wa?zZ3>}1udR`}v+)h2fSL6V9A);$#e#1|7{W2Gj`(T1"
            ">aMIWDVal%y#BUg{Wdbv?+#lRXt>TolcvEDdGlWnBfB#0!u_0q7%N7sS6|9VlW1Ohq-UK%+=SSLqoH-lP-"
            "mlm(e3Uh91cQQqEY#6<R&^E}@x%lqz!+jrXvQF#wU%@K1tbK@nvyjVQxe3VL;Pbij&ln2e3~PG&pqJ-PG~Yn1?jc_JZ*y@mS0)Yye4Xc3YRa%=3{"
            "*)8<1l~9L7Z|d-xP}433Dk?^WQu8Eep`@<4FC=@IF>6a&lytj~ZFsHWOdix-"
            "^*(g5c9AAox{}g)%9KnvjIPNj7dL4Mz63p%@mr5D`?IFm7h4P&jKLY43B3kIBSr%8ex8G%!p`TQzHZ(M9C))fkS7jfIhLT=jXKjoOpkRXe0_x#$D"
            "|-uqy3@HR}@eHIs6X#c0mMSkn0PI4TB5_-l^@(wH_@eIAbP!%35r{fwRH5YsrjyX7+G`$`-"
            "#t(l&MEA5PhGXP*=bq%upo~~z;R_kIjQg2(lUMqLeXwQt7QP>gr~Kv-3s-"
            "ZsnJ8H{Yu4PoGQ<Fz;>5Ucwc@AZJZMy_f{i%3Bf2dJtV62_$_K+iBR03{7t_x|jCnsGM=D-"
            "Cv9Jygv$bT(ibSxEdsB~!L2vT1t!jD=aKS;pd{C7rDiO?JdLvx(NSH)dVuewtf4L5h`Am^gCEjO#0ujOTV65_`Z@eX5C&<UkaN<2C9-"
            "Tlk$C26coAH<ZNCpu|B=S@#8|zCJxM-"
            "puZ?}K5LCVD%0iZ9A?&mfke|bzqq%;AR6mY;w`Y~Lu{dNR{)X*40fclG<N|q9AeMe;EOEPZQTJEj>OrS@Wiu}fNiZs1jhe_-"
            "ZGpsoEDo5q*a;A3G-1=zwt)B$T<s78#jU&R{!$=0LE-IsvV(E;l2)PQktnY6cfG-^`7{%K#h(3-"
            "h%{SKz`*&#bW9c%y70cF`S6TrzMMAFgwbG`ZfGgi%?)&fLJlr=r_ih4r`*75rryYou1{bH!;xtjSzUea}A&at;n2#_EsYIu4!3v5B=Oq3wKBSd!F"
            "vIL#l`Q=6<Lj;2E%RoaR+!!|4-BrzBHLDwR?bz;&bTJ#cyA6NkXFtr5?#8iSX_X%?Xd<#-"
            "R=WkGX+28JG6;RM0fp&3J|X1n+vS>%M2?|3wd4A%mE}N;^d2ZeDuiS!r#^=YsXqNc^TKt*#9tKHfGuOI%1U)(8=kL%>PZknnZyzL@<(=ya!8wNGi"
            "5i-3dc*ad8GS=tBr4xHB|@gM+C96>OJ+j^X<y8biezCkF}+)qJ2-ar4FlR5yH0BNK20C-"
            "^N=y_V6@(wsn*u=rSSV+{rt;#qr#;BIU{+{U1Af>cX_|F&r9{(99w6P3`4)2!RKQk|^Q3{RsP6u$5x@qJ`($T2>8G_@kG>`Y&$xE&Q<I$OQRAr6?"
            "<O7-S5350XioSad3H|1Wehh(hAOejP}8#kOi-"
            "b|j^`>>Wt9a{d^%r6uG`M}^AKfhxTRrL!vnKqk+ZKspqS0@y*spY554#h;r&V*_L300@dmMK4q0tZFYJb-"
            "ZQL5EagB{Y?1sFAO}P$1G{H3D`nJ55AH&2`nnnw5bsoEy)Cj1FK5r_<}%?nKWEBT-wzY4MlcFE2#kwIV{v8G;X>qBxT>vIMl2LJ>ftZ{|OB6)0(K"
            "Ta4HM){%+Gb_fFn^l~h2R$m-"
            "_u;T`*u_nAKz7~hVTX_3ipGK%$&yrKVqJS(kDFSA$ffY`)2hN~|MO;7C3bsPhW$W)xm8~cPdE{XT<PkRP9WeWYJcvik0ZL8)qg>ZF>Wwe8yTL9qH"
            "8()yW*C*{aao|(uw6Sc9pdP@d=F7bTZnHK8ryQ1N$p{tn&AkrE*RlIg+!QN2PnpMk{^;KZ#vatgOBq(|EM9mDpN5(o4E@MH$#7uBe&l#1`#&^4?#"
            ">nJa*m#Aq344V+JT(dJYMYI2bRrwG}=~F44+!_QQ>Gu;Hb9VBb*gK{JyRT1Q*tymH1_OX7$Hz$Ql^YmI|Oz3DmJrr;jt`ZttMn=kG1;il1QI}tZA"
            "|I#Ys2ybv&=U5(~+-2+=*W!R84)E5rIVpj?D^nLU#x*)Q4wcA)|9!KCGj%-;vDBT=`D@W*hlf*tG_HOkjRfqMs*$+gbVv|OcoO>orJ4t%iGj-iOc"
            "+YUY<CZ>wnt=^)z;5Uy+_p92HauxYq-@_+7icv3cy7QupDP=dX-R%%$Azl?TMjw0v5>VYOtBsHc-?}YfQ*lBJ^}-tq?J|P;qSZr<-"
            "Gc&>Wc~<?hqvu9yG`+>INzB88~V-AoT7651;4`<20co~Tpb`=A1rpM{&)G$L~8-4?YmdkcR2A~s^(W-~jXD(8`1#sYVIoVstRl;d-"
            "RVfIY2KUXAO>p&<IHeNFQO(5iT!F&ZcZ};|SO^Eyh@!R?|yF^PZ!$dUUijw_AF?};}x3C@D52b|FnfOkHd`@I(FG{QYQV)<ZYnUSmkk?Yu(wY|&f"
            "tWs1gP6ch8$19D2*^>g8O;Inzj0y9rUGYZuvIJh75_f-gu|Y#MRkQ5S4aEn)c5%T=1R}}aU*{jp`-OlevZ)M;Xdlu&?-=`@l7W-"
            "Gr|$Wk`X_XU&fs2wPl~tW*MeD6sFV%GVg;zd+%@m>Gn;Hc4DtCW-"
            "^qAN9XLsh6~I^AMV$*G0?jK(Ka&F<<p$jG@<tQc#gULCDNJgd6rmVK1k~NsS9HIjq1qtk&lJ14KBgYG^(@(ETi2`K2LMQ1{;=ZV|xR`vS3uBKEXu"
            "D+gTwB6#BIc&YXPy7)D^DygS?xj+^T{#LGljAX-zj!0pZJ62PpVqxq_^c1)!M(dU^w<a`d6pbsC?jM_8iE_I0S5wo7x_r7f@l-"
            "Z6k9tC?$0qngGQ&#-Gx0-ZSl<`quxX(mw5IYFp+qPe;y%gFqSd;0Wl8IrE!=60Ja1h3DG5h98?p);)mWhvY*O&-}`Peo1Ac$$2fZaI5QY=x{H-"
            "WRYo*FkL@L5!5+=sa1X6@-"
            "eik+3C6%>3i!0U&ej%53C1dM7bkrgL1fDkr&(63J>w2lqqdI*=OH|_{J8vK}Q2E>)swOi%CaE23}10n=;!_6_*7TS0mM|stt90(BIG<z=W0uAsWh"
            ";>gIGw&M`K{(C$e|aRVYTS*9VZWnq8kMa(meV{A;+Wolz?L}N9=}?zyDp~O4}<x3n}hoCHv`-"
            "O{>Mpt7qW>txQ&Q3MCH~pC2Ywpv0lD_IBAj=wp)x{CCvKC{KT4YORPEsZF`h+Hfb@?PC27&!8$Hg61GwmrIYWL{ijj*R@EOD;FheCw6#dL-+EC>-"
            "|wT}$x0sr+<1z8`_hWSnN}EH4^nI<KcKxm#xI2k%UU9Kxn}9*QLV<b!aNA%n$B)^<i@@ZlKF>{!N8ETZe~F2f`1mkbUTkNd2g_tpZI_=uJUgD=gc"
            "MwlmPWMiIcuD8|rA8rsK6gd|y=t!_cLDi4mZ;@MMa~+y&HACJCRqZS_!ud`^w|Tn$%RF-"
            "(nNZm~N{kJ*B6<W2=D!R>TQz|RYnho==~Iy1MqdG7Vxujmltm#CR%Y53(uV5K-"
            "h$a!8e8Ng<u@U83CW!EQ_D>_e?mop^4!dDO*wXt8T0KyBkl$2fc&NM7oeuYEVi7p{Qgd^9AlaM(6&?Urp%JoEF7AI=j^y5T7{wavra!@2sm!iPr5"
            "lqY6{s9YihmywR86<gr$kZGsIbmdfj<L(k;Q<Fcag6l$`~)Q_n6SOf*!CnWIAx5s0000000000000000000000s*Z7$Yk*Is"
        ),
    ),
}
"""Fingerprint of the hybrid identity of that kind, and its ``responder signature`` of SHA-512("known answer")."""

LIBOQS_ANSWERS: dict[int, str] = {
    16: "0b0ab274b91b5eaaff465884c9a836316741c51a1fded1bbccd379cd1d8e8c5c",
    17: "e3470b1446e49be7bcb5e9afe76e3044c9bccbc335e7174fbb091548011cf873",
    18: "6621335ed1b09d6eaf7885497b9d61df38a05a1d3d9423b1ddc13a276f2ebda5",
    32: "97b0f480fbf58577f4052818c63b647d8ee4c103354ada092b2200052aa20560",
    33: "cb4b837bdafa4bee0e581535683ba1c75da62a8999a933498519332629e8ace6",
    34: "d8650d17ce50bfc54b399731798e896a8e41f00d26f286abcf7cb0fb67bfd43d",
}
"""SHA-256(public key || ciphertext || secret) that ``liboqs_probe.answer`` finds by secondary id; recorded from liboqs
0.16.0, the portable and the AVX2 build alike. McEliece keys were made by the f form, used by the other."""
